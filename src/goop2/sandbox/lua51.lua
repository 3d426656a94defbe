-- What LuaJIT has and plain Lua 5.1 lacks: `bit` (the semantics of LuaJIT's BitOp), xpcall that passes
-- arguments on, memory that is there again after a script caught its want, and an unpack that cannot be
-- made to write beyond the stack. Run once in every VM of that
-- flavour, before prelude.lua and with nothing taken away yet; what it sets, a script sees. It must not know goop.

local error, next, pcall, select, tonumber, type, unpack, xpcall = error, next, pcall, select, tonumber, type, unpack, xpcall
local collectgarbage = collectgarbage
local floor, format, sub = math.floor, string.format, string.sub

-- Plain Lua looks for garbage only after an allocation: when even the smallest fails, it would never look again.
local function caught(done, ...)
  if not done and (...) == "not enough memory" then
    collectgarbage()
  end
  return done, ...
end

function _G.pcall(...)
  return caught(pcall(...))
end

function _G.xpcall(run, handler, ...)
  local count = select("#", ...)
  if count == 0 then
    return caught(xpcall(run, handler))
  end
  local arguments = { ... }
  return xpcall(function()
    if type(run) ~= "function" and type(run) ~= "table" then
      error(format("attempt to call a %s value", type(run)), 0) -- Lua would say where in our code
    end
    return run(unpack(arguments, 1, count))
  end, handler)
end

-- `level` as error() counts from here: 3 is who called the function that calls this.
local function bad_argument(name, position, expected, value, level)
  local got = value == nil and "no value" or type(value)
  error(format("bad argument #%d to '%s' (%s expected, got %s)", position, name, expected, got), level or 3)
end

local UNPACK_MAX = 8000 -- values Lua's stack takes at most

-- The library's own counts in 32 bits: a range longer than those passes its check, and is copied beyond the stack.
function _G.unpack(list, first, last)
  if type(list) ~= "table" then
    bad_argument("unpack", 1, "table", list)
  end
  local from = first == nil and 1 or tonumber(first) or bad_argument("unpack", 2, "number", first)
  local to = last == nil and #list or tonumber(last) or bad_argument("unpack", 3, "number", last)
  if not (to - from < UNPACK_MAX) then -- so that nan is refused too
    error("too many results to unpack", 2)
  elseif from <= to then -- it may not be so any more in 32 bits
    return unpack(list, from, to)
  end
end

local WORD, SIGN, BITS = 2 ^ 32, 2 ^ 31, 32
local ROUND = 2 ^ 52 + 2 ^ 51 -- added and taken away again it rounds as BitOp does

-- Any number as 0 .. 2^32-1.
local function word(name, position, value)
  local number = tonumber(value) or bad_argument(name, position, "number", value, 4)
  number = (number + ROUND - ROUND) % WORD
  return number == number and number or 0
end

local function signed(number)
  return number < SIGN and number or number - WORD
end

-- AND of two half bytes, by first * 16 + second; made at first use.
local nibbles

local function make_nibbles()
  nibbles = {}
  for first = 0, 15 do
    for second = 0, 15 do
      local both = 0
      for power = 0, 3 do
        local place = 2 ^ power
        if first % (place * 2) >= place and second % (place * 2) >= place then
          both = both + place
        end
      end
      nibbles[first * 16 + second] = both
    end
  end
end

local function both_bits(first, second)
  if not nibbles then
    make_nibbles()
  end
  local result, place = 0, 1
  while first > 0 and second > 0 do
    local low, other = first % 16, second % 16
    result = result + nibbles[low * 16 + other] * place
    first, second, place = (first - low) / 16, (second - other) / 16, place * 16
  end
  return result
end

-- name -> two words to one
local JOINS = {
  band = both_bits,
  bor = function(first, second) return first + second - both_bits(first, second) end,
  bxor = function(first, second) return first + second - 2 * both_bits(first, second) end,
}

local function left(number, count)
  return number * 2 ^ count % WORD
end

local function right(number, count)
  return floor(number / 2 ^ count)
end

-- name -> a word and a count of 0 .. 31 to one
local SHIFTS = {
  lshift = left,
  rshift = right,
  arshift = function(number, count) return floor(signed(number) / 2 ^ count) % WORD end,
  rol = function(number, count) return left(number, count) + right(number, BITS - count) end,
  ror = function(number, count) return right(number, count) + left(number, BITS - count) end,
}

-- name -> a word to one
local CHANGES = {
  tobit = function(number) return number end,
  bnot = function(number) return WORD - 1 - number end,
  bswap = function(number)
    local result = 0
    for _ = 1, 4 do
      local low = number % 256
      result, number = result * 256 + low, (number - low) / 256
    end
    return result
  end,
}

local bit = {}

for name, join in next, JOINS do
  bit[name] = function(first, ...)
    local result = word(name, 1, first)
    for index = 1, select("#", ...) do
      result = join(result, word(name, index + 1, (select(index, ...))))
    end
    return signed(result)
  end
end

for name, shift in next, SHIFTS do
  bit[name] = function(value, count)
    local number = word(name, 1, value)
    local result = shift(number, word(name, 2, count) % BITS)
    return signed(result)
  end
end

for name, change in next, CHANGES do
  bit[name] = function(value)
    local result = change(word(name, 1, value))
    return signed(result)
  end
end

function bit.tohex(value, digits)
  local number = word("tohex", 1, value)
  local count = digits == nil and 8 or signed(word("tohex", 2, digits))
  local letters = count < 0 and "X" or "x"
  count = count < 0 and -count or count
  count = count > 8 and 8 or count
  local text = format("%08" .. letters, number)
  return sub(text, 9 - count)
end

_G.bit = bit
