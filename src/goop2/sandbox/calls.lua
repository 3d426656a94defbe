-- The goop table: makes its members, and does their functions: arguments checked and converted, then done here or by the host.
-- Loaded when a script first uses one. It must follow no metatable of a script and use no global.
--
-- Arguments: host(operation, ...) -> shape, value...; json() -> the codec of json.lua; null, JSON's;
--            goop, the table whose members these are; is_command, whether a chat command runs; is_owner, whether the caller is
--            this peer; caller_id; load_part(name, ...), for what most scripts do not use; load_bytecode(bytecode, ...); load_source(name, source), shared code as a function
-- Returns: call_here(operation, signature, ...) -> results of what is done in the VM; perform(operation, resource, request), for a script of ours alone;
--          member(name) -> goop[name], which is made if need be; all_members(), which makes all; call(operation, signature, ...), for tests
--
-- A signature is one letter a parameter: s string, n number, b boolean, t table, f function, v what SQL
-- can hold (string, number, boolean, nil), j anything, sent as JSON, a anything, as it is, o a table, sent
-- as JSON, i a whole number or one as text, d a string or a table: sent as "s" and the string, or as "j" and the table as JSON;
-- c a table of columns and what SQL can hold or goop.expr, sent as JSON: a list of column, kind and value;
-- r, last, a table of columns and what SQL can hold, sent as column, value, column, value.
-- After it `?` means optional, `*` any number of them.
--
-- A shape is one letter a value the host answers: v as it is, j JSON to decode; "!" raises the value.
-- l a list of all values that follow.
-- R is rows: whether more are waiting, the number of columns, their names, the values row by row; r the first row of such.
-- The host never raises itself: its exception would reach the script as a host object.
local host, json, null, goop, is_command, is_owner, caller_id, load_part, load_bytecode, load_source = ...

local error, getmetatable, next, pcall, rawequal, rawget, rawset, select = error, getmetatable, next, pcall, rawequal, rawget, rawset, select
local setmetatable = setmetatable
local tostring, type, unpack = tostring, type, unpack
local concat = table.concat
local create, resume, status, yield = coroutine.create, coroutine.resume, coroutine.status, coroutine.yield
local byte, find, format, gsub, sub = string.byte, string.find, string.format, string.gsub, string.sub

-- One argument of a host call; larger ones are refused before they leave the VM's own memory.
local ARGUMENT_MAX_BYTES = 1048576
-- A value to be kept; goop.kv says of one so large that it is, as of smaller ones that are too large.
local STORED_MAX_BYTES = ARGUMENT_MAX_BYTES
local ACTION_SHOWN_BYTES = 64 -- of a name that the caller made up
local RAISE, PLAIN, ROWS, ROW, LIST, JSON = "!", "v", "R", "r", "l", byte("j")
local HUGE = math.huge

-- `return pass(f())` keeps the frame of the function it stands in, which error levels count; `return f()` would not.
local function pass(...)
  return ...
end

-- Host calls run in a coroutine of ours, on a stack of its own: the memory limit is off while values are pushed (vm.py,
-- MemoryGate), and on the script's stack an overflow right after the push would keep it off. Only an exchange that is over,
-- with the limit on again, is handed to the script's stack, where any error is one like any other.
-- The arguments wait in upvalues: plain Lua ends the process when another coroutine's stack cannot grow to take them.
local asked, given, given_count
local NOTHING = {}

local function exchange()
  return host(asked, unpack(given, 1, given_count))
end

local function limited(...)
  host() -- puts the memory limit on again
  return ...
end

local function attend()
  while true do
    yield(limited(pcall(exchange)))
  end
end

-- thread: where host calls run. spare: takes its place when it ended, for want of memory, inside a transaction.
local thread, spare

local function answered(resumed, done, ...)
  given = NOTHING
  if not resumed then
    thread = nil
  elseif done then
    return ...
  end
  error(resumed and (...) or done, 0)
end

-- The answer of the host to `operation`: shape, value...
local function ask(operation, arguments, count)
  thread = thread or create(attend)
  asked, given, given_count = operation, arguments or NOTHING, count or 0
  return answered(resume(thread))
end

-- ask() that needs no memory; for what ends a transaction.
local function ask_in_any_case(operation)
  thread = thread or spare
  return ask(operation)
end

local TYPE_NAMES = {
  s = "string", n = "number", i = "number", b = "boolean", t = "table", f = "function", v = "string, number, boolean or nil",
  o = "table", r = "table", c = "table", d = "string or table",
}
local TYPE_LETTERS = { string = "s", number = "n", boolean = "b", table = "t", ["function"] = "f" }

local function fits(letter, value)
  local kind = type(value)
  if letter == "j" or letter == "a" then
    return true
  elseif letter == "v" then
    return value == nil or kind == "string" or kind == "number" or kind == "boolean"
  elseif kind == "table" and (letter == "o" or letter == "d" or letter == "r" or letter == "c") then
    return true
  elseif letter == "i" then
    return kind == "number" or (kind == "string" and find(value, "^%-?%d+$") ~= nil)
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
  if letter == "v" and rawequal(value, null) then
    return nil
  end
  if not fits(letter, value) then
    complain(name, position, "%s expected, got %s", TYPE_NAMES[letter], value == nil and "no value" or type(value))
  end
  local is_table = type(value) == "table"
  if letter == "j" or (is_table and (letter == "o" or letter == "d")) then
    local text, message = json().encode(value, "value")
    if not text then
      complain(name, position, "%s", message)
    end
    value = letter == "j" and sub(text, 1, STORED_MAX_BYTES) or text
  elseif (letter == "s" or letter == "d") and type(value) == "number" then
    value = tostring(value)
  end
  if letter ~= "a" and type(value) == "string" and #value > ARGUMENT_MAX_BYTES then
    complain(name, position, "%d bytes, the most is %d", #value, ARGUMENT_MAX_BYTES)
  elseif letter == "v" and (value ~= value or value == HUGE or value == -HUGE) then
    complain(name, position, "%s is not a finite number", tostring(value))
  end
  if letter == "d" then
    return (is_table and "j" or "s") .. value
  end
  return value
end

-- What goop.expr gives -> its SQL. By the table itself: nothing that comes from a caller can be taken for one.
local expressions = setmetatable({}, { __mode = "k" })

-- nil, or why a column cannot hold the value.
local function misfit(column, value)
  if type(value) == "table" and expressions[value] then
    return format("%s is a goop.expr, which only update_where of a goop.orm handle takes", column)
  elseif not fits("v", value) then
    return format("%s cannot hold a %s", column, type(value))
  elseif value ~= value or value == HUGE or value == -HUGE then
    return format("%s is not a finite number", column)
  elseif type(value) == "string" and #value > ARGUMENT_MAX_BYTES then
    return format("%s is %d bytes, the most is %d", column, #value, ARGUMENT_MAX_BYTES)
  end
end

-- A row takes the place of its table and those after it; returns the last place.
local function flatten(name, position, row, arguments)
  local last = position - 1
  for column, value in next, row do
    if type(column) ~= "string" then
      complain(name, position, "columns have names, and %s is none", tostring(column))
    end
    if rawequal(value, null) then
      value = nil
    end
    local message = misfit(column, value)
    if message then
      complain(name, position, "%s", message)
    end
    arguments[last + 1], arguments[last + 2] = column, value
    last = last + 2
  end
  return last
end

local received

-- Operation -> what does it in the VM (vm_functions.lua), and what makes the JSON of changes; loaded when one is first used.
local done_here, changes_text

local function keep_spare()
  spare = spare or create(attend)
end

local function here()
  if not done_here then
    done_here, changes_text =
      load_part("vm_functions", ask, ask_in_any_case, keep_spare, received, json, null, expressions, is_owner, load_part, load_source)
  end
  return done_here
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
    if letter == "c" then
      here()
      arguments[first] = changes_text(name, first, arguments[first], complain, misfit)
    elseif letter == "r" then
      final = flatten(name, first, arguments[first], arguments)
    end
    position = final
    cursor = cursor + (optional and 2 or 1)
  end
  return position
end

-- ── done by the host ─────────────────────────────────────────────────────────────────────────

local function decode(text)
  return (json().decode(text))
end

-- Appends rows made of `values`, those after `place`, to `rows`.
local function spread(names, values, place, rows)
  local width, count = #names, #rows
  for index = 1, width > 0 and (values.n - place) / width or 0 do
    local row = {}
    for column = 1, width do
      row[names[column]] = values[place + column]
    end
    place = place + width
    rows[count + index] = row
  end
end

local function counted(...)
  return { n = select("#", ...), ... }
end

local function more_rows(_, more, ...)
  return more, counted(...)
end

local function read_rows(more, width, ...)
  local values = counted(...) -- after the names
  local names, rows = { unpack(values, 1, width) }, {}
  spread(names, values, width, rows)
  while more do
    more, values = more_rows(ask("db.more"))
    spread(names, values, 0, rows)
  end
  return rows
end

local function shaped(shape, first, second, third)
  local one, two, three = byte(shape, 1, 3)
  if one == JSON then first = decode(first) end
  if two == JSON then second = decode(second) end
  if three == JSON then third = decode(third) end
  return unpack({ first, second, third }, 1, #shape)
end

function received(shape, ...)
  if shape == PLAIN then
    return (...)
  elseif shape == ROWS then
    return (read_rows(...))
  elseif shape == ROW then
    return read_rows(...)[1]
  elseif shape == LIST then
    local list = { ... }
    for index = 1, select("#", ...) do
      if list[index] == nil then list[index] = null end
    end
    return list
  elseif shape == RAISE then
    error((...), 4) -- 1 received, 2 call, 3 the goop function, 4 the script
  end
  return shaped(shape, ...)
end

local function call(operation, signature, ...)
  local arguments = { ... }
  local count = prepare(operation, signature, arguments, select("#", ...))
  return pass(received(ask(operation, arguments, count)))
end

-- The same for what is done in the VM.
local function call_here(operation, signature, ...)
  local arguments = { ... }
  local count = prepare(operation, signature, arguments, select("#", ...))
  return pass(here()[operation](unpack(arguments, 1, count)))
end

-- ── the table itself ─────────────────────────────────────────────────────────────────────────

-- What makes objects with methods (handles.lua), for the stubs of functions that give one.
local open_handle

local function handles()
  open_handle = open_handle or load_part("handles", prepare, ask, received)
  return open_handle
end

-- The manifest of the site's template.
local function template()
  local shape, text = ask("template")
  return shape == "j" and decode(text) or { require_email = false }
end

-- Name -> what makes that member of the goop table: bytecode, or a function. A script uses one or two of them.
local members = {
  --@members: from the declarations in scripting/api
}
members.template = template

local function make(from)
  if type(from) == "function" then
    return from()
  end
  return load_bytecode(from, call, call_here, handles, here, pass, is_command)
end

-- What goop[name] is, when the table has nothing of that name: made now, and put into it.
local function member(name)
  if name == nil or not members[name] then
    return nil
  end
  local made = make(members[name])
  if name == "json" then
    made.null = null
  elseif name == "group" then
    made.member.id = caller_id
  end
  rawset(goop, name, made)
  members[name] = nil -- only now: there may have been no memory for it
  return made
end

local function all_members()
  for name in next, members do
    if rawget(goop, name) == nil then
      member(name)
    end
  end
end

-- A script of ours has one operation of the peer to itself.
local function perform(operation, resource, request)
  return call("api.perform", "sso", operation, resource, request)
end

return call_here, perform, member, all_members, call
