-- The goop table: fills it, and does its functions: arguments checked and converted, then done here or by the host.
-- Loaded when a script first uses it. It must follow no metatable of a script and use no global.
--
-- Arguments: host(operation, ...) -> shape, value...; json() -> the codec of json.lua; null, JSON's;
--            goop, the table to fill; is_command, whether a chat command runs
-- Returns: call(operation, signature, ...) -> up to three results
--
-- A signature is one letter a parameter: s string, n number, b boolean, t table, f function, v what SQL
-- can hold (string, number, boolean, nil), j anything, sent as JSON, a anything, as it is, o a table, sent
-- as JSON, d a string or a table: sent as "s" and the string, or as "j" and the table as JSON.
-- After it `?` means optional, `*` any number of them.
--
-- A shape is one letter a value the host answers: v as it is, j JSON to decode; "!" raises the value.
-- The host never raises itself: its exception would reach the script as a host object.
local host, json, null, goop, is_command = ...

local error, getmetatable, next, rawget, rawset, select = error, getmetatable, next, rawget, rawset, select
local tostring, type, unpack = tostring, type, unpack
local concat = table.concat
local byte, format, sub = string.byte, string.format, string.sub

-- One argument of a host call; larger ones are refused before they leave the VM's own memory.
local ARGUMENT_MAX_BYTES = 1048576
local RAISE, PLAIN, JSON = "!", "v", byte("j")

-- host(...) and then host(): the memory limit is off while values are pushed (vm.py, Door).
local function settled(...)
  host()
  return ...
end

local function ask(...)
  return settled(host(...))
end

local TYPE_NAMES = {
  s = "string", n = "number", b = "boolean", t = "table", f = "function", v = "string, number, boolean or nil",
  o = "table", d = "string or table",
}
local TYPE_LETTERS = { string = "s", number = "n", boolean = "b", table = "t", ["function"] = "f" }

local function fits(letter, value)
  local kind = type(value)
  if letter == "j" or letter == "a" then
    return true
  elseif letter == "v" then
    return value == nil or kind == "string" or kind == "number" or kind == "boolean"
  elseif kind == "table" and (letter == "o" or letter == "d") then
    return true
  elseif letter == "d" then
    letter = "s"
  end
  return TYPE_LETTERS[kind] == letter or (letter == "s" and kind == "number")
end

-- error levels: 1 complain, 2 convert, 3 prepare, 4 call, 5 the goop function, 6 the script
local function complain(name, position, ...)
  error(format("bad argument #%d to 'goop.%s' (%s)", position, name, format(...)), 6)
end

local function convert(name, position, letter, value)
  if not fits(letter, value) then
    complain(name, position, "%s expected, got %s", TYPE_NAMES[letter], value == nil and "no value" or type(value))
  end
  local is_table = type(value) == "table"
  if letter == "j" or (is_table and (letter == "o" or letter == "d")) then
    local text, message = json().encode(value, "value")
    if not text then
      complain(name, position, "%s", message)
    end
    value = text
  elseif (letter == "s" or letter == "d") and type(value) == "number" then
    value = tostring(value)
  end
  if letter ~= "a" and type(value) == "string" and #value > ARGUMENT_MAX_BYTES then
    complain(name, position, "%d bytes, the most is %d", #value, ARGUMENT_MAX_BYTES)
  end
  if letter == "d" then
    return (is_table and "j" or "s") .. value
  end
  return value
end

-- Checks and converts the arguments in place; returns how many there are to pass on.
local function prepare(name, signature, arguments, count)
  local position, cursor, last = 0, 1, #signature
  while cursor <= last do
    local letter, modifier = sub(signature, cursor, cursor), sub(signature, cursor + 1, cursor + 1)
    local optional = modifier == "?" or modifier == "*"
    local first = position + 1
    local final = modifier == "*" and count or first
    for index = first, final do
      local value = arguments[index]
      if not (value == nil and optional) then
        arguments[index] = convert(name, index, letter, value)
      end
    end
    position = final
    cursor = cursor + (optional and 2 or 1)
  end
  return position
end

-- ── done here ────────────────────────────────────────────────────────────────────────────────

local here = {}

function here.print(...)
  local parts = {}
  for index = 1, select("#", ...) do
    parts[index] = tostring((select(index, ...)))
  end
  ask("log", "print", sub(concat(parts, "\t"), 1, ARGUMENT_MAX_BYTES))
end

local function show(value)
  if type(value) == "table" and not getmetatable(value) then
    local text = json().encode(value, "value")
    if text then
      return text
    end
  end
  return tostring(value)
end

local function write_line(level, ...)
  local parts = {}
  for index = 1, select("#", ...) do
    parts[index] = show((select(index, ...)))
  end
  ask("log", level, sub(concat(parts, " "), 1, ARGUMENT_MAX_BYTES))
end

here["log.info"] = function(...) write_line("info", ...) end
here["log.warn"] = function(...) write_line("warn", ...) end
here["log.error"] = function(...) write_line("error", ...) end
here["json.encode"] = function(value) return json().encode(value, "value") end
here["json.decode"] = function(text) return json().decode(text) end
here["json.object"] = function(value) return json().object(value) end
here["json.array"] = function(value) return json().array(value) end

-- ── done by the host ─────────────────────────────────────────────────────────────────────────

local function decode(text)
  return (json().decode(text))
end

local function shaped(shape, first, second, third)
  local one, two, three = byte(shape, 1, 3)
  if one == JSON then first = decode(first) end
  if two == JSON then second = decode(second) end
  if three == JSON then third = decode(third) end
  return first, second, third
end

local function call(operation, signature, ...)
  local arguments = { ... }
  local count = prepare(operation, signature, arguments, select("#", ...))
  local work = here[operation]
  if work then
    local first, second = work(unpack(arguments, 1, count))
    return first, second
  end
  local shape, first, second, third = ask(operation, unpack(arguments, 1, count))
  if shape == PLAIN then
    return first
  elseif shape == RAISE then
    error(first, 3) -- 1 call, 2 the goop function, 3 the script
  end
  return shaped(shape, first, second, third)
end

-- ── the table itself ─────────────────────────────────────────────────────────────────────────

local functions = {
  --@declarations: one stub a function, from scripting/api
}
functions.json.null = null
if is_command then
  functions.db, functions.schema, functions.site = nil, nil, nil
end
for name, member in next, functions do
  if rawget(goop, name) == nil then
    rawset(goop, name, member)
  end
end

return call
