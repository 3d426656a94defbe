-- os.time and os.date in a script's test, by the time that the test has set. Loaded only there.
--
-- Arguments: os, as the script has it; text, the time in seconds since 1970
-- Returns: set(seconds), for the test itself, which turns the clock while it runs
local os, text = ...

local floor, tonumber, error, type, format = math.floor, tonumber, error, type, string.format
local real_time, real_date = os.time, os.date
local now = tonumber(text)

function os.time(fields)
  if fields == nil then
    return floor(now)
  end
  return real_time(fields)
end

function os.date(shape, time)
  return real_date(shape == nil and "%c" or shape, time == nil and floor(now) or time)
end

return function(seconds)
  now = seconds
end
