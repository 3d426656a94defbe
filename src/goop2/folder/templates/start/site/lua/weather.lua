--- The weather in a city: !weather Utrecht
--- @rate_limit 10

-- Needs lua.http_enabled in goop.json, and a key of openweathermap.org kept under "api_key".
function handle(args)
  if args == "" then
    return "Usage: !weather <city>"
  end
  local key = goop.kv.get("api_key")
  if not key then
    return "Weather API key not configured."
  end

  local url = "https://api.openweathermap.org/data/2.5/weather"
    .. "?q=" .. args .. "&appid=" .. key .. "&units=metric"
  local body, err = goop.http.get(url)
  if err then
    return "Error: " .. err
  end

  local data = goop.json.decode(body)
  return string.format("%s: %s C, %s",
    data.name,
    tostring(math.floor(data.main.temp)),
    data.weather[1].description)
end
