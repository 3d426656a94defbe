-- goop.config: settings of a site in a table, read when it is made. Loaded when a script first asks for one.
-- It must follow no metatable of a script and use no global.
--
-- Arguments: ask, received: as in calls.lua
-- Returns: open(name, defaults) -> the fields of the handle, or nil, message; set(handle, key, value) and save(handle, column, value, ...)
local ask, received = ...

local next, rawset, select, setmetatable, tostring = next, rawset, select, setmetatable, tostring

-- Handle -> {name, whether its table holds pairs}.
local known = setmetatable({}, { __mode = "k" })
local METHODS = { set = true, save = true }

local function keep(handle, key, value)
  if not METHODS[key] then -- else what somebody stores would hide the method
    rawset(handle, key, value)
  end
end

local function open(name, defaults)
  local holds_pairs, message = received(ask("config.is_pairs", { name }, 1))
  if holds_pairs == nil then
    return nil, message
  end
  local rows, failed = received(ask("config.rows", { name }, 1))
  if not rows then
    return nil, failed
  end
  local handle = {}
  for key, value in next, defaults or {} do
    keep(handle, key, value)
  end
  if holds_pairs then
    for index = 1, #rows do
      if rows[index].key ~= nil and rows[index].value ~= nil then
        keep(handle, tostring(rows[index].key), tostring(rows[index].value))
      end
    end
  elseif rows[1] then
    for column, value in next, rows[1] do
      keep(handle, column, value)
    end
  end
  known[handle] = { name = name, pairs = holds_pairs }
  return handle
end

local function change(handle, arguments, count)
  local done, message = received(ask("config.change", arguments, count))
  if done then
    for place = 2, count, 2 do
      keep(handle, arguments[place], arguments[place + 1])
    end
  end
  return done, message
end

local function set(handle, key, value)
  local config = known[handle]
  if not config.pairs then
    return change(handle, { config.name, key, value }, 3)
  end
  local text = value == nil and "" or tostring(value)
  local done, message = received(ask("config.put", { config.name, key, text }, 3))
  if done then
    keep(handle, key, text)
  end
  return done, message
end

local function save(handle, ...)
  local config = known[handle]
  if config.pairs then
    return nil, config.name .. " holds pairs of key and value: set one by config:set(key, value)"
  end
  return change(handle, { config.name, ... }, 1 + select("#", ...))
end

return open, set, save
