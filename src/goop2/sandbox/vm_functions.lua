-- Functions of the goop table that are done in the VM, and the changes that goop.orm handles take. Loaded when a script first uses one.
-- It must follow no metatable of a script and use no global.
--
-- Arguments: ask(operation, arguments, count); ask_in_any_case(operation), which needs no memory once keep_spare() was called;
--            received(shape, ...): as in calls.lua; json() -> the codec of json.lua; null, JSON's; expressions, what goop.expr
--            gave -> its SQL; is_owner, whether the caller is this peer; load_part(name, ...); load_source(name, source), as in prelude.lua
-- Returns: operation -> function of its arguments, checked before; changes_text(name, position, changes, complain, misfit) -> JSON
local ask, ask_in_any_case, keep_spare, received, json, null, expressions, is_owner, load_part, load_source = ...

local error, getmetatable, next, pcall, rawequal, rawget, select = error, getmetatable, next, pcall, rawequal, rawget, select
local setmetatable, tostring, type = setmetatable, tostring, type
local concat = table.concat
local create, resume, status = coroutine.create, coroutine.resume, coroutine.status
local byte, find, format, gsub, sub = string.byte, string.find, string.format, string.gsub, string.sub

-- What a line of the log is cut at; as an argument of a host call (calls.lua).
local LINE_MAX_BYTES = 1048576
local ACTION_SHOWN_BYTES = 64 -- of a name that the caller made up
local RAISE, JSON = "!", byte("j")

local here = {}

local function pass(...)
  return ...
end

-- Whatever a __tostring of the script gives, this is a string.
local function text_of(value)
  local text = tostring(value)
  return type(text) == "string" and text or format("(__tostring gives a %s)", type(text))
end

local function show(value)
  if type(value) == "table" and not getmetatable(value) then
    local text = json().encode(value, "value")
    if text then
      return text
    end
  end
  return text_of(value)
end

function here.print(...)
  local parts = {}
  for index = 1, select("#", ...) do
    parts[index] = show((select(index, ...)))
  end
  ask("log", { "print", sub(concat(parts, "\t"), 1, LINE_MAX_BYTES) }, 2)
end

local function write_line(level, ...)
  local parts = {}
  for index = 1, select("#", ...) do
    parts[index] = show((select(index, ...)))
  end
  ask("log", { level, sub(concat(parts, " "), 1, LINE_MAX_BYTES) }, 2)
end

here["log.info"] = function(...) write_line("info", ...) end
here["log.warn"] = function(...) write_line("warn", ...) end
here["log.error"] = function(...) write_line("error", ...) end
here["json.encode"] = function(value) return json().encode(value, "value") end
here["json.decode"] = function(text) return json().decode(text) end
here["json.object"] = function(value) return json().object(value) end
here["json.array"] = function(value) return json().array(value) end

-- ── shared code ──────────────────────────────────────────────────────────────────────────────

-- Files one call may use, and how deep they may use each other: far more than anybody writes by hand.
local USED_MAX, USING_MAX = 100, 20
local used, used_count = {}, 0 -- name -> { what it returned }
local using = {} -- the names that are being run, the outermost first

-- The names from the first `name` on, and it again: util -> text -> util.
local function circle(name)
  local first = 1
  while using[first] ~= name do
    first = first + 1
  end
  local names = {}
  for index = first, #using do
    names[#names + 1] = using[index]
  end
  return concat(names, " -> ") .. " -> " .. name
end

local function is_using(name)
  for index = 1, #using do
    if using[index] == name then
      return true
    end
  end
  return false
end

-- error levels: 1 here.use, 2 call_here, 3 the goop function, 4 the script
here["use"] = function(name)
  local found = used[name]
  if found then
    return found[1]
  elseif is_using(name) then
    error(format("goop.use: shared code may not use itself: %s", circle(name)), 4)
  elseif #using >= USING_MAX or used_count >= USED_MAX then
    error(format("goop.use: one call may use %d files, and %d of them from one another", USED_MAX, USING_MAX), 4)
  end
  local shape, source = ask("use.source", { name }, 1)
  if shape == RAISE then
    error(source, 4)
  end
  local chunk, message = load_source("lib/" .. name, source)
  if not chunk then
    error(message, 4)
  end
  using[#using + 1] = name
  local done, value = pcall(chunk) -- so that it can be tried again after an error that somebody catches
  using[#using] = nil
  if not done then
    error(value, 0)
  end
  used[name], used_count = { value }, used_count + 1
  return value
end

-- Calls one of `actions` by request.params.action. Errors are those of the script that calls it.
here["route"] = function(actions)
  return function(request)
    local params = type(request) == "table" and rawget(request, "params") or nil
    if type(params) ~= "table" then
      error("request.params missing", 2)
    end
    local action = rawget(params, "action")
    if type(action) ~= "string" or action == "" then
      error("action parameter required", 2)
    end
    local work = rawget(actions, action)
    if work == nil then
      error(format("unknown action: %s", sub(action, 1, ACTION_SHOWN_BYTES)), 2)
    elseif type(work) ~= "function" then
      error(format("action %s is not a function", sub(action, 1, ACTION_SHOWN_BYTES)), 2)
    end
    return work(params)
  end
end

-- By who calls, not by goop.peer.id, which a script can change.
here["owner"] = function(work)
  return function(...)
    if not is_owner then
      error("only the site owner can do this", 2)
    end
    return work(...)
  end
end

here["expr"] = function(sql)
  local marker = setmetatable({}, { __metatable = "goop.expr", __newindex = function() error("goop.expr cannot be changed", 2) end })
  expressions[marker] = sql
  return marker
end

-- fn runs as a coroutine of its own: one that yielded out would leave the transaction open behind it. So does what begins
-- and ends the transaction: near the end of the script's stack there would be no room to end it.
-- From begin to commit or rollback nothing of ours may fail, want of memory included: all that is needed is made before.
-- `transact` gives whether all went well, whether an error is one of ours, to be told at the script's line, and the results or the error.
here["db.transaction"] = function(fn)
  local inner = create(function() return fn() end)
  keep_spare()

  local function finish(whole, done, ...)
    if whole and done and status(inner) == "dead" then
      local shape, message = ask_in_any_case("db.commit")
      if shape == RAISE then
        return false, true, message
      end
      return true, false, ...
    end
    ask_in_any_case("db.rollback")
    if not whole then
      return false, false, done
    elseif done then
      return false, true, "attempt to yield out of goop.db.transaction"
    end
    return false, false, (...)
  end

  local transact = create(function()
    local shape, message = ask("db.begin")
    if shape == RAISE then
      return false, true, message
    end
    return finish(pcall(resume, inner))
  end)

  local function conclude(resumed, done, ours, ...)
    if resumed and done then
      return ...
    elseif not resumed then
      error(done, 0)
    end
    error((...), ours and 5 or 0) -- 1 conclude, 2 the transaction, 3 call, 4 the goop function, 5 the script
  end
  return pass(conclude(resume(transact)))
end

local open_config, set_config, save_config

local function configs()
  if not open_config then
    open_config, set_config, save_config = load_part("config", ask, received)
  end
end

here["config"] = function(...) configs() return pass(open_config(...)) end
here["config.set"] = function(...) return pass(set_config(...)) end
here["config.save"] = function(...) return pass(save_config(...)) end

-- What a definition makes of a row, or of rows, which are JSON text by now. The definition goes from the peer to the worker as it is.
local function transformed(operation, name, rows)
  local shape, definition, message = ask("transform.load", { name }, 1)
  if byte(shape) ~= JSON then
    return definition, message
  end
  return received(ask(operation, { definition, rows }, 2))
end

here["transform.apply"] = function(name, row) return transformed("transform.row", name, row) end
here["transform.apply_many"] = function(name, rows) return transformed("transform.rows", name, rows) end

local function hexadecimal(letter)
  return format("%02x", byte(letter))
end

-- A table of changes as JSON. The kind tells expressions, which only this VM can have made, and bytes from plain values.
local function changes_text(name, position, changes, complain, misfit)
  local list = {}
  for column, value in next, changes do
    local sql = type(value) == "table" and expressions[value]
    if type(column) ~= "string" then
      complain(name, position, "columns have names, and %s is none", tostring(column))
    elseif sql then
      list[#list + 1] = { column, "e", sql }
    else
      if rawequal(value, null) then
        value = nil
      end
      local message = misfit(column, value)
      if message then
        complain(name, position, "%s", message)
      elseif type(value) == "string" and find(value, "[\128-\255%z]") then
        list[#list + 1] = { column, "b", (gsub(value, ".", hexadecimal)) }
      else
        list[#list + 1] = { column, "v", value == nil and null or value }
      end
    end
  end
  local text, message = json().encode(list, "changes")
  if not text then
    complain(name, position, "%s", message)
  end
  return text
end

return here, changes_text
