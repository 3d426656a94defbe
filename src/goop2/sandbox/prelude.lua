-- The inside of every VM, run once before a script is: takes away what a script must not have, lays
-- out the goop table, and returns the functions the worker calls (run, compile).
-- It must not trust anything a script can reach: every library function it uses is a local taken
-- before the script runs, no metatable is followed, and `host` never leaves an upvalue.
-- A VM lives for one call, so what most calls do not need waits in calls.lua until its first use.
--
-- Arguments: host(operation, ...) -> shape, value..., after which host() must follow: it puts the memory
-- limit on again, which is off while values are pushed (vm.py, MemoryGate); memory_bytes: the limit
local host, memory_bytes = ...

local error, getmetatable, next, pairs, pcall, rawequal, rawget, rawset = error, getmetatable, next, pairs, pcall, rawequal, rawget, rawset
local newproxy, select, setfenv, setmetatable, type = newproxy, select, setfenv, setmetatable, type
local plain_tostring, system = tostring, os
local load_pieces, metatable_of, frame_of, trace_of = load, debug.getmetatable, debug.getinfo, debug.traceback
local byte, dump, find, format, sub = string.byte, string.dump, string.find, string.format, string.sub
local collectgarbage, randomseed, load_chunk = collectgarbage, math.randomseed, loadstring
local create, resume, running, status, yield =
  coroutine.create, coroutine.resume, coroutine.running, coroutine.status, coroutine.yield
local floor, max, min = math.floor, math.max, math.min
local compile_never = jit and jit.off

-- Lua 5.1 has no emergency collection: an allocation beyond the limit fails, however much of the memory is garbage. So a
-- collection is never done in steps, which go by the number of allocations and not by their size, but whole (0: a step has no
-- end), and begins when garbage has taken this part of what the live values leave of the limit, or the most we let lie.
local GC_WHOLE_CYCLE, GC_GARBAGE_SHARE, GC_GARBAGE_MAX_BYTES = 0, 1 / 3, 1048576
-- The pace is set in whole percent of what is alive. Where one percent is too much, each allocation collects; but only so often
-- in a row: then the next one that does not fit ends the script, which would else crawl to its deadline.
local GC_CROWDED_SHARE, GC_CROWDED_MAX = 1 / 2, 1
-- Until a VM holds ten times what it starts with, some 600 kB, collecting is not worth its time: most calls end before.
local GC_START_PERCENT = 1000
-- A reply is cut at 4096 bytes outside; what is far beyond need not cross the wall.
local REPLY_CROSSING_BYTES = 8192
local MESSAGE_MAX_BYTES = 2000
-- What our own code is called in error messages (vm.py), and the place it leaves in front of one when
-- the script's own frame was a tail call.
local OUR_CHUNK, OUR_PLACE = "=[goop]", "^%[goop%]:[%d?]+: "
local PLACE, OUT_OF_MEMORY = "^[^:]*:%d+: ", "not enough memory"
local ESCAPE = 27 -- first byte of precompiled code

-- The rest of this file is the body of one function, and not indented for that. A function that is made in the chunk itself
-- looks for each local it uses among all that are in use, from the last one on; made in here, it copies what `lay_out` has.
local function lay_out()
collectgarbage("stop") -- nothing below is garbage; `run` starts it again
collectgarbage("setstepmul", GC_WHOLE_CYCLE)

local crowded = 0

-- Decides, when a collection ends, when the next begins.
local function set_pace()
  local live = collectgarbage("count") * 1024
  local room = memory_bytes - live
  local percent = floor(100 * min(room * GC_GARBAGE_SHARE, GC_GARBAGE_MAX_BYTES) / live)
  if percent < 1 then
    percent = floor(100 * room * GC_CROWDED_SHARE / live)
    crowded = percent < 1 and crowded + 1 or 0
    percent = crowded <= GC_CROWDED_MAX and max(percent, 0) or 1
  end
  collectgarbage("setpause", 100 + percent)
end

-- A finalizer is called at the end of each collection: that of an object nobody holds, which makes the next one. Another is
-- held, and let go where there is no memory to make one. Plain Lua collects no more where a finalizer fails: hence pcall.
local watching = true
local held_sentinel, new_sentinel

local function collection_ended()
  if watching then
    set_pace()
    local made, sentinel = pcall(new_sentinel)
    held_sentinel = made and (held_sentinel or sentinel) or nil
    if made and rawequal(held_sentinel, sentinel) then
      pcall(new_sentinel)
    end
  end
end

function new_sentinel()
  local sentinel = newproxy(true)
  getmetatable(sentinel).__gc = collection_ended
  return sentinel
end

-- Machine code must be worth its making (two mprotects and more a trace): hence the late start, and
-- none at all for our own code, which walks short and varied values.
if compile_never then
  jit.opt.start("hotloop=500")
end

-- ── what a script may see ────────────────────────────────────────────────────────────────────

local GLOBALS = {
  _G = true, _VERSION = true, assert = true, error = true, ipairs = true, next = true, pairs = true, pcall = true,
  xpcall = true, rawequal = true, rawget = true, rawset = true, select = true, setmetatable = true,
  getmetatable = true, tonumber = true, tostring = true, type = true, unpack = true,
  string = true, table = true, math = true, coroutine = true, bit = true, os = true,
}
local OS_FUNCTIONS = { time = true, date = true, clock = true, difftime = true }

local function keep_only(from, allowed)
  for name in next, from do
    if not allowed[name] then
      from[name] = nil
    end
  end
end

local globals = _G
keep_only(globals, GLOBALS)
keep_only(os, OS_FUNCTIONS)
string.dump = nil

function globals.collectgarbage(option)
  if option ~= "count" then
    error('only collectgarbage("count") is available', 2)
  end
  return collectgarbage("count")
end

-- ── the goop table ───────────────────────────────────────────────────────────────────────────

-- What stands for JSON's null in Lua: a plain table nobody can change, equal only to itself.
local null = setmetatable({}, {
  __tostring = function() return "null" end,
  __newindex = function() error("goop.json.null cannot be changed", 2) end,
  __metatable = "goop.json.null",
})

-- All that calls.lua and json.lua have of the language: what a script replaces does not touch them,
-- though they are loaded after it.
local LIBRARY = {
  error = error, getmetatable = getmetatable, next = next, pcall = pcall, rawequal = rawequal, rawget = rawget, rawset = rawset,
  select = select, setmetatable = setmetatable, tonumber = tonumber, type = type, unpack = unpack,
  string = {
    byte = byte, char = string.char, find = find, format = format, gsub = string.gsub, match = string.match, sub = sub,
  },
  table = { concat = table.concat, sort = table.sort },
  coroutine = { create = create, resume = resume, status = status, yield = yield },
  math = { floor = math.floor, huge = math.huge },
}

-- The bytecode of calls.lua, json.lua, library.lua, handles.lua or config.lua. The host is asked in a coroutine: calls.lua (exchange) says why.
local function exchange(name)
  local done, bytecode = pcall(host, "part", name)
  host()
  return done and bytecode or error(bytecode, 0)
end

local function load_bytecode(bytecode, ...)
  local part, message = load_chunk(bytecode, OUR_CHUNK)
  if not part then
    error(message, 0) -- out of memory
  end
  setfenv(part, LIBRARY)
  if compile_never then
    compile_never(part, true)
  end
  return part(...)
end

-- Shared code of the site as a function, or nil and the compiler's message.
local function load_source(name, source)
  if byte(source, 1) == ESCAPE then
    return nil, name .. ":1: precompiled code is not accepted, only source text"
  end
  return load_chunk(source, "=" .. name)
end

-- Name -> bytecode of the parts that this script used the last time, which came with it: a question less for each.
local given

local function load_part(name, ...)
  if given and given[name] then
    return load_bytecode(given[name], ...)
  end
  local received, bytecode = resume(create(exchange), name)
  if not received then
    error(bytecode, 0)
  end
  return load_bytecode(bytecode, ...)
end

-- Whether the VM ran out of memory: coroutine.wrap puts a place in front of the message, once for each coroutine it passes through.
local function is_out_of_memory(raised)
  if type(raised) ~= "string" or #raised > MESSAGE_MAX_BYTES then
    return false
  end
  local text, _, place = raised, nil, nil
  repeat
    _, place = find(text, PLACE)
    text = sub(text, (place or 0) + 1)
  until not place
  return text == OUT_OF_MEMORY
end

local codec

local function json()
  codec = codec or load_part("codec", null, is_out_of_memory, collectgarbage)
  return codec
end

-- What library.lua makes of functions of the language. `return pass(f())` keeps the frame that the levels of errors count.
local library

local function pass(...)
  return ...
end

local function ours()
  if not library then
    library = load_part("library", json, error, plain_tostring, load_chunk, load_pieces, setfenv, metatable_of, frame_of)
  end
  return library
end

function globals.load(...)
  return pass(ours().load(...))
end

function globals.loadstring(...)
  return pass(ours().loadstring(...))
end

local ADDRESSED = { table = true, ["function"] = true, thread = true, userdata = true }

local function tostring(...)
  local value = ...
  if ADDRESSED[type(value)] or select("#", ...) == 0 then
    return (ours().tostring(...))
  end
  return (plain_tostring(value))
end
globals.tostring, LIBRARY.tostring = tostring, tostring

-- Only an error that is a table needs more than Lua's own, and that only a level more.
function globals.error(raised, level)
  if type(raised) == "table" then
    return pass(ours().error(raised, level))
  end
  error(raised, level == 0 and 0 or (type(level) == "number" and level or 1) + 1)
end

local function has_addressed(first, second, third, ...)
  if ADDRESSED[type(first)] or ADDRESSED[type(second)] or ADDRESSED[type(third)] then
    return true
  end
  local count = select("#", ...)
  if count > 0 then -- in a table: with hundreds of arguments a call for each three would fill the stack
    local rest = { ... }
    for index = 1, count do
      if ADDRESSED[type(rest[index])] then
        return true
      end
    end
  end
  return false
end

-- Plain Lua's knows no address: it wants strings, and has no %p.
if compile_never then
  function string.format(template, ...)
    if type(template) == "string" and (has_addressed(...) or find(template, "%%[^%a%%]*p")) then
      return format(ours().without_addresses(template, select("#", ...), { ... })) -- a tail call: an error names the script's line
    end
    return format(template, ...)
  end
end

-- Until something else than peer and self is asked of it, the goop table has these two alone; calls.lua makes what is asked for.
local goop = { peer = {}, self = {} }
local is_command, is_owner, id_of_caller = false, false, ""
local call_here, perform, member, all_members, operate

local function need_calls()
  if not call_here then -- set last: there may be no memory
    local loaded
    loaded, perform, member, all_members, operate =
      load_part("calls", host, json, null, goop, is_command, is_owner, id_of_caller, load_part, load_bytecode, load_source)
    call_here = loaded
  end
end

setmetatable(goop, {
  __metatable = "goop", -- a script can neither see nor replace it
  __index = function(_, name)
    need_calls()
    return member(name)
  end,
})
globals.goop = goop

-- Who walks through the goop table sees all of it.
function globals.pairs(value)
  if type(value) ~= "table" then
    error(format("bad argument #1 to 'pairs' (table expected, got %s)", type(value)), 2) -- here Lua would name a place of ours
  end
  if rawequal(value, goop) then
    need_calls()
    all_members()
  end
  return pairs(value)
end

function globals.print(...)
  need_calls()
  call_here("print", "a*", ...)
end

-- ── what the worker calls ────────────────────────────────────────────────────────────────────

-- An error value as one string, and its code when it has one: whatever the script raised, without following it anywhere unsafe.
local function describe(raised)
  local code
  if type(raised) ~= "string" then
    raised, code = ours().describe(raised)
  end
  local _, place = find(raised, OUR_PLACE)
  return sub(raised, (place or 0) + 1, MESSAGE_MAX_BYTES), code
end

local function reply_text(result)
  if result == nil then
    return ""
  end
  local text = type(result) == "string" and result or tostring(result)
  if type(text) ~= "string" and type(text) ~= "number" then
    error(format("the __tostring of what handle returned gives a %s", type(text)), 0)
  end
  return sub(text, 1, REPLY_CROSSING_BYTES)
end

local function run_command(chunk, name, text)
  chunk()
  local handle = rawget(globals, "handle")
  if type(handle) ~= "function" then
    ours().lacks_entry(name, "handle", rawget(globals, "call") ~= nil)
  end
  return reply_text((handle(text)))
end

local function run_function(chunk, name, params)
  chunk()
  local entry = rawget(globals, "call")
  if type(entry) ~= "function" then
    ours().lacks_entry(name, "call", rawget(globals, "handle") ~= nil)
  end
  return codec.result((entry({ params = params })))
end

-- What no script of an author runs as, or few do (library.lua).
local function runner_of(kind)
  if kind == "builtin" then
    need_calls()
  elseif kind == "test" then
    need_calls()
    return load_part("testing", globals, operate, json, function(now) return load_part("test_clock", system, now) end)
  end
  return ours().runner(kind, globals, reply_text, perform)
end

-- The script's main coroutine. A script runs in one because its stack is still there after an error, to make the trace from: LuaJIT calls
-- no handler of xpcall for a stack overflow in machine code, nor where the stack has no room for one. The script must not notice:
-- for its main coroutine `running` and `yield` do what they do outside of coroutines.
local script

function coroutine.running()
  local thread = running()
  return not rawequal(thread, script) and thread or nil
end

function coroutine.yield(...)
  if rawequal(running(), script) then
    error("attempt to yield from outside a coroutine", 2)
  end
  return yield(...)
end

-- (name, source) -> bytecode, or nil and the compiler's message "name:line: ..."
local function compile(name, source)
  host() -- everything is pushed: from here on the memory limit holds
  if byte(source, 1) == ESCAPE then
    return nil, name .. ":1: precompiled code is not accepted, only source text"
  end
  local chunk, message = load_chunk(source, "=" .. name)
  if not chunk then
    return nil, message
  end
  return dump(chunk)
end

local function take_parts(name, bytecode, ...)
  if name then
    given = given or {}
    given[name] = bytecode
    return take_parts(...)
  end
end

-- Runs one invocation -> "ok", text | error class, message, and the code of an error the script raised with one, and its trace.
-- After the arguments come names and bytecode of parts that it is likely to use.
local function run(kind, name, bytecode, seed, argument, caller_id, caller_label, self_id, self_label, caller_email, ...)
  host() -- everything is pushed: from here on the memory limit holds
  take_parts(...)
  randomseed(seed)
  goop.peer.id, goop.peer.label, goop.peer.email = caller_id, caller_label, caller_email
  goop.self.id, goop.self.label = self_id, self_label
  id_of_caller = caller_id
  is_command, is_owner = kind == "command" or kind == "handle", caller_id == self_id
  local runner = kind == "command" and run_command or kind == "function" and run_function or runner_of(kind)
  if kind == "function" or kind == "builtin" or kind == "schedule" then
    local params, message = json().params(argument)
    if message then
      return "bad_request", message
    end
    argument = params
  end
  if given and given.clock then
    load_part("test_clock", system, given.clock)
  end
  collectgarbage("setpause", GC_START_PERCENT)
  collectgarbage("restart", -1) -- LuaJIT: from this pause on, where plain Lua begins at once
  new_sentinel()
  local chunk = load_chunk(bytecode, "=" .. name)
  -- Without arguments: plain Lua ends the process when another coroutine's stack cannot grow to take them.
  script = create(function() return runner(chunk, name, argument) end)
  local done, result, class = resume(script)
  watching = false -- when the VM is closed, LuaJIT would call finalizers ten times over
  if done then
    return class or "ok", result
  elseif is_out_of_memory(result) then
    return "memory", "memory limit exceeded"
  end
  local traced, trace = pcall(trace_of, script, "")
  script = nil -- with all that only its stack holds
  local described, text, code = pcall(describe, result)
  return "script_error", described and text or "(error object is a " .. type(result) .. " value)", code, traced and trace or nil
end

return run, compile

end

return lay_out()
