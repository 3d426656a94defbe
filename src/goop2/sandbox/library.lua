-- The functions of the language that are ours, and what a raised error says. Loaded when a script first uses one of them.
-- It must follow no metatable of a script and use no global.
--
-- Arguments: json() -> the codec of json.lua; the others Lua's own functions
-- Returns: load, loadstring, tostring, without_addresses, error, each called by one of the prelude's;
--          describe(raised) -> message, code; lacks_entry(name, entry, has_other), which raises; runner(kind, globals, reply_text, perform)
local json, error, plain_tostring, load_chunk, load_pieces, setfenv, metatable_of, frame_of = ...

local pcall, rawequal, rawget, select, setmetatable, type, unpack = pcall, rawequal, rawget, select, setmetatable, type, unpack
local byte, find, format, gsub, sub = string.byte, string.find, string.format, string.gsub, string.sub

local ESCAPE = 27 -- first byte of precompiled code
local MESSAGE_MAX_BYTES = 2000

local library = {}

-- load and loadstring as in Lua 5.1, and LuaJIT's arguments `mode` and `environment`. What is wrong with the text, or what its
-- reader does, is nil and a message; only a wrong argument is an error.

local PRECOMPILED = "attempt to load precompiled code: only source text can be loaded"

-- levels of errors: 1 where it is raised, 2 the function here, 3 the prelude's, 4 the script
local function wrong_argument(position, name, expected, value)
  local got = value == nil and "no value" or type(value)
  error(format("bad argument #%d to '%s' (%s expected, got %s)", position, name, expected, got), 4)
end

-- A reader whose first piece cannot begin as bytecode does; plain Lua looks at that alone, LuaJIT obeys the mode besides.
local function checked(reader)
  local begun = false
  return function()
    local piece = reader()
    if piece == nil then
      return nil
    elseif type(piece) ~= "string" then
      error("reader function must return a string", 0)
    elseif not begun and byte(piece, 1) == ESCAPE then
      error(PRECOMPILED, 0)
    end
    begun = true
    return piece
  end
end

local function loaded_as(environment, chunk, message)
  if chunk and environment ~= nil then
    setfenv(chunk, environment)
  end
  return chunk, message
end

local function optional_text(function_name, position, value)
  if value ~= nil and type(value) ~= "string" and type(value) ~= "number" then
    error(format("bad argument #%d to '%s' (string expected, got %s)", position, function_name, type(value)), 4)
  end
  return value ~= nil and value .. "" or nil
end

local function load_text(source, name, mode, environment)
  if mode and not find(mode, "t", 1, true) then
    return nil, "attempt to load chunk with wrong mode"
  elseif byte(source, 1) == ESCAPE then
    return nil, PRECOMPILED
  end
  return loaded_as(environment, load_chunk(source, name or source, "t"))
end

function library.load(source, name, mode, environment)
  local kind = type(source)
  if kind ~= "string" and kind ~= "function" then
    wrong_argument(1, "load", "string", source)
  end
  name, mode = optional_text("load", 2, name), optional_text("load", 3, mode)
  if kind == "string" then
    return load_text(source, name, mode, environment)
  elseif mode and not find(mode, "t", 1, true) then
    return nil, "attempt to load chunk with wrong mode"
  end
  return loaded_as(environment, load_pieces(checked(source), name or "=(load)", "t"))
end

function library.loadstring(source, name, mode, environment)
  if type(source) ~= "string" and type(source) ~= "number" then
    wrong_argument(1, "loadstring", "string", source)
  end
  return load_text(source .. "", optional_text("loadstring", 2, name), optional_text("loadstring", 3, mode), environment)
end

-- An address would tell how memory is laid out, to whoever is working on a way out of the VM. What has no text of its own is
-- shown with a number of ours, the same as long as the value lives.

local shown, shown_count

local function number_of(value)
  shown = shown or setmetatable({}, { __mode = "k" })
  local number = shown[value]
  if not number then
    shown_count = (shown_count or 0) + 1
    number = format("0x%08x", shown_count)
    shown[value] = number
  end
  return number
end

local ADDRESSED = { table = true, ["function"] = true, thread = true, userdata = true }

function library.tostring(...)
  local value = ...
  if select("#", ...) == 0 then
    error("bad argument #1 to 'tostring' (value expected)", 3)
  end
  local kind = type(value)
  if ADDRESSED[kind] then
    local meta = metatable_of(value)
    if not meta or rawget(meta, "__tostring") == nil then
      return kind .. ": " .. number_of(value)
    end
  end
  return (plain_tostring(value))
end
local tostring = library.tostring

-- LuaJIT's string.format shows addresses of its own for %s, %q and %p; plain Lua knows neither of them for tables.
local SPECIFIER = "%%([-+ #0]*)([%d.]*)([%a%%])"

-- The same template and arguments, with every address as text of ours.
function library.without_addresses(template, count, arguments)
  local place = 0
  template = gsub(template, SPECIFIER, function(flags, width, conversion)
    if conversion == "%" then
      return nil
    end
    place = place + 1
    local value = arguments[place]
    if conversion == "p" and place <= count then
      arguments[place] = value == nil and "NULL" or number_of(value)
      return "%" .. gsub(flags, "[^-]", "") .. width .. "s"
    elseif (conversion == "s" or conversion == "q") and ADDRESSED[type(value)] then
      arguments[place] = tostring(value)
    end
  end)
  return template, unpack(arguments, 1, count)
end

-- An error that is a table has no place in it: where it was raised is kept beside it.
local raised_last, raised_place

function library.error(raised, level)
  if type(raised) == "table" and level ~= 0 then
    local frame = frame_of((type(level) == "number" and level or 1) + 2, "Sl")
    raised_last = raised
    raised_place = frame and frame.currentline > 0 and frame.short_src .. ":" .. frame.currentline .. ": " or ""
  end
  error(raised, level == 0 and 0 or (type(level) == "number" and level or 1) + 2)
end

local ERROR_CODE_MAX_BYTES = 64

-- What a table that was raised says: message and code, or itself as JSON.
local function describe_error_table(raised)
  local message, code = rawget(raised, "message"), rawget(raised, "code")
  if type(code) ~= "string" and type(code) ~= "number" then
    code = nil
  end
  if type(message) ~= "string" and type(message) ~= "number" then
    local made, text = pcall(json().encode, raised, "value", MESSAGE_MAX_BYTES)
    message = made and text or "(error object is a table value)"
  end
  local place = rawequal(raised, raised_last) and raised_place or ""
  return place .. message, code and sub(code .. "", 1, ERROR_CODE_MAX_BYTES) or nil
end

-- What an error value that is no string says, and its code when it has one.
function library.describe(raised)
  local meta = metatable_of(raised)
  local described, text = pcall(tostring, raised)
  if described and type(text) == "string" and meta and rawget(meta, "__tostring") ~= nil then
    return text
  elseif type(raised) == "table" then
    return describe_error_table(raised)
  end
  return format("(error object is a %s value)", type(raised))
end

-- The entry a script of each kind defines, and what to do with one that defines the other's.
local ENTRIES = {
  handle = { "handle(args)", "call", "data functions belong in the functions folder" },
  call = { "call(request)", "handle", "chat commands belong beside the functions folder, not in it" },
}

-- Raises what is said of a script without its entry.
function library.lacks_entry(name, entry, has_other)
  local shape, other, hint = unpack(ENTRIES[entry])
  error(format("%s defines no function %s%s", name, shape, has_other and format(" (it defines %s: %s)", other, hint) or ""), 0)
end

-- How a script runs that is neither a chat command nor a data function: runner(chunk, name, argument) -> text, error class.
local runners = {}

-- The `handle` of a data function's file, for a chat command that has no file of its own.
function runners.handle(globals, reply_text)
  return function(chunk, _, text)
    chunk()
    local handle = rawget(globals, "handle")
    if type(handle) ~= "function" then
      return "", "not_found"
    end
    return reply_text((handle(text)))
  end
end

function runners.group_close(globals)
  return function(chunk, _, group)
    chunk()
    local entry = rawget(globals, "on_group_close")
    if type(entry) == "function" then
      entry(group)
    end
    return "null"
  end
end

function runners.schedule(globals)
  return function(chunk, name, event)
    chunk()
    local entry = rawget(globals, "run")
    if type(entry) ~= "function" then
      error(format("%s defines no function run(event)", name), 0)
    end
    return json().result((entry(event)))
  end
end

-- A script of ours may answer nil, error class, message.
function runners.builtin(globals, _, perform)
  return function(chunk, _, params)
    chunk()
    local result, class, message = rawget(globals, "call")({ params = params }, perform)
    if result == nil and class then
      return message, class
    end
    return json().result(result)
  end
end

function library.runner(kind, ...)
  return runners[kind](...)
end

return library
