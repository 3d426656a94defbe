-- What a file of tests has besides the goop table: test, expect, chat, call, keep, http, clock, rows. Loaded only there.
-- It must follow no metatable of a script and use no global.
--
-- Arguments: globals, the table a script sees; operate(operation, signature, ...), which asks the peer; json() -> the codec of json.lua;
--            load_clock(seconds) -> what sets the clock of this VM
-- Returns: runner(chunk, name, argument) -> text
local globals, operate, json, load_clock = ...

local error, getmetatable, next, pcall, rawequal, rawget, setmetatable = error, getmetatable, next, pcall, rawequal, rawget, setmetatable
local tonumber, tostring, type, select = tonumber, tostring, type, select
local concat = table.concat
local byte, find, format, gsub, sub = string.byte, string.find, string.format, string.gsub, string.sub

local TESTS_MAX = 1000
local DEPTH_MAX = 50 -- of tables that are compared
local SHOWN_MAX_BYTES, SHORT_BYTES = 20000, 60

-- `return pass(f())` keeps the frame that the levels of errors count; `return f()` would not.
local function pass(...)
  return ...
end

-- ── how values are compared and shown ────────────────────────────────────────────────────────

local function equal(one, other, depth)
  if rawequal(one, other) then
    return true
  elseif type(one) ~= "table" or type(other) ~= "table" then
    return one == other
  elseif depth > DEPTH_MAX then
    error("the tables are nested too deeply to be compared", 0)
  end
  for key, value in next, one do
    if not equal(value, rawget(other, key), depth + 1) then
      return false
    end
  end
  for key in next, other do
    if rawget(one, key) == nil then
      return false
    end
  end
  return true
end

local function shown(value)
  if type(value) == "table" or type(value) == "string" then
    local made, text = pcall(json().encode, value, "value")
    if made and text then
      return sub(text, 1, SHOWN_MAX_BYTES)
    end
  end
  return sub(tostring(value), 1, SHOWN_MAX_BYTES)
end

-- What was raised, as text: error("…") or error({message = …}).
local function message_of(raised)
  if type(raised) == "table" and not getmetatable(raised) then
    local message = rawget(raised, "message")
    if type(message) == "string" then
      return message
    end
  end
  return type(raised) == "string" and raised or shown(raised)
end

-- ── expect ───────────────────────────────────────────────────────────────────────────────────

-- error levels: 1 differ, 2 equals, 3 the expectation, 4 the test
local function differ(what, wanted, got)
  if #wanted <= SHORT_BYTES and #got <= SHORT_BYTES then
    error(format("expected %s%s, got %s", what, wanted, got), 4)
  end
  operate("test.differ", "ss", wanted, got)
  error("expected another value (-) than it got (+)", 4)
end

local function equals(value, wanted)
  if not equal(value, wanted, 1) then
    differ("", shown(wanted), shown(value))
  end
end

local function matches(value, pattern)
  if type(pattern) ~= "string" then
    error("matches takes a pattern of Lua as a string", 3)
  end
  local text = type(value) == "number" and tostring(value) or value
  if type(text) ~= "string" or not find(text, pattern) then
    differ("a match of ", shown(pattern), shown(value))
  end
end

local function fails(fn, text)
  if type(fn) ~= "function" then
    error("fails takes a function: expect(function() … end).fails(\"text\")", 3)
  end
  local done, raised = pcall(fn)
  if done then
    differ("an error", text and " with " .. shown(text) or "", "none")
  elseif text ~= nil and not find(message_of(raised), tostring(text), 1, true) then
    differ("an error with ", shown(text), shown(message_of(raised)))
  end
end

-- expect(value).equals(wanted); expect(fn).fails("text"), or expect().fails(fn, "text").
local function expectation(value)
  local made = {}
  local function own(first, ...) -- expect(v):equals(w) means the same
    if rawequal(first, made) then
      return ...
    end
    return first, ...
  end
  function made.equals(...)
    local wanted = own(...)
    equals(value, wanted)
  end
  function made.matches(...)
    local pattern = own(...)
    matches(value, pattern)
  end
  function made.fails(...)
    local first, second = own(...)
    if type(first) == "function" then
      fails(first, second)
    else
      fails(value, first)
    end
  end
  return made
end

local expect = {}
function expect.equals(value, wanted) equals(value, wanted) end
function expect.matches(value, pattern) matches(value, pattern) end
function expect.fails(fn, text) fails(fn, text) end
globals.expect = setmetatable(expect, { __call = function(_, value) return expectation(value) end })

-- ── scripts, the network, time and tables ────────────────────────────────────────────────────

-- The reply, and the class of its failure when it reports one.
function globals.chat(message, options)
  return pass(operate("test.chat", "so?", message, options))
end

-- What the function returned; its failure is an error, "class: message".
function globals.call(name, params, options)
  if params == nil or (type(params) == "table" and next(params) == nil) then
    params = json().object({}) -- as a page sends it
  end
  local result, failure = operate("test.call", "sjo?", name, params, options)
  if failure then
    error(failure, 2)
  end
  return result
end

-- Keeps a value for a script, as `goop2 kv` does.
function globals.keep(script, key, value)
  operate("test.keep", "ssj", script, key, value)
end

globals.http = {
  stub = function(url, answer) return pass(operate("test.http", "so?", url, answer)) end,
  requests = function() return pass(operate("test.requests", "")) end,
}

local set_clock

local function at(seconds)
  if set_clock then
    set_clock(seconds)
  else
    set_clock = load_clock(tostring(seconds))
  end
  return seconds
end

globals.clock = {
  set = function(time) return at((operate("test.clock", "v", time))) end,
  advance = function(seconds) return at((operate("test.advance", "n", seconds))) end,
}

function globals.rows(name)
  if type(name) ~= "string" then
    error("rows takes the name of a table", 2)
  end
  local found, message = operate("db.query", "s", format('SELECT * FROM "%s"', gsub(name, '"', '""')))
  if not found then
    error(message, 2)
  end
  return found
end

-- ── the tests of a file ──────────────────────────────────────────────────────────────────────

local tests, names = {}, {}

function globals.test(name, fn)
  if type(name) ~= "string" or name == "" then
    error('test takes a name and a function: test("adds a row", function() … end)', 2)
  elseif type(fn) ~= "function" then
    error(format("the test %s has no function: test(\"%s\", function() … end)", shown(name), name), 2)
  elseif names[name] then
    error(format("there are two tests with the name %s in this file", shown(name)), 2)
  elseif #tests >= TESTS_MAX then
    error(format("a file has at most %d tests", TESTS_MAX), 2)
  end
  names[name] = true
  tests[#tests + 1] = { name = name, run = fn }
end

return function(chunk, _, argument)
  chunk()
  if argument == "" then
    local list = {}
    for place = 1, #tests do
      list[place] = tests[place].name
    end
    return json().result(json().array(list))
  end
  local wanted = tests[tonumber(argument)]
  if not wanted then
    error("this test is not there any more", 0)
  end
  wanted.run()
  return "null"
end
