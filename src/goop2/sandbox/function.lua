-- What a data function is given and what it returns. Part of json.lua; gives params, result.
local null, encode, decode, came_in_empty, is_out_of_memory, collectgarbage = ...

local error, pcall, rawequal, type = error, pcall, rawequal, type
local format = string.format

local RESULT_MAX_BYTES = 1048576

-- params as JSON -> a table, or nil and why not
local function params(text)
  if text == "{}" then
    return came_in_empty({})
  end
  local value, message = decode(text)
  if message then
    return nil, "params: " .. message
  elseif rawequal(value, null) then
    return {}
  elseif type(value) ~= "table" then
    return nil, format("params must be an object or an array, not a %s", type(value))
  end
  return value
end

-- What a function returned -> its JSON
local function result(value)
  local done, text, message = pcall(encode, value, "result", RESULT_MAX_BYTES)
  if not done and is_out_of_memory(text) then
    collectgarbage() -- what the script left behind may have been in the way
    text, message = encode(value, "result", RESULT_MAX_BYTES)
  elseif not done then
    error(text, 0)
  end
  if not text then
    error(message, 0)
  end
  if #text > RESULT_MAX_BYTES then
    error(format("result is %d bytes of JSON, the most is %d", #text, RESULT_MAX_BYTES), 0)
  end
  return text
end

return params, result
