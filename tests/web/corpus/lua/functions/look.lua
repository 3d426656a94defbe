--- What the site looks like
local defaults = { title = "Our club", accent = "#0b5345", rounded = "1" }
local function read()
  local config = goop.config("look", defaults)
  return { title = config.title, accent = config.accent, rounded = config.rounded }
end
local save = goop.owner(function(p)
  local config = goop.config("look", defaults)
  for key in pairs(defaults) do
    if p[key] ~= nil then config:set(key, p[key]) end
  end
  return read()
end)
call = goop.route{ read = read, save = save }
