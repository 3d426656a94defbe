-- JSON inside the VM: how every value crosses the wall (spec: "Values across the wall").
-- Runs in the script's own VM, so its work is paid from the script's own time and memory.
-- It must follow no metatable and use no global at run time.
--
-- Arguments: null, the value that stands for JSON's null.
-- Returns {encode(value, root) -> text | nil, message; decode(text) -> value | nil, message;
--          object(t) / array(t) -> t, marked for encode}.
local null = ...

local next, pcall, rawequal, rawget, select = next, pcall, rawequal, rawget, select
local setmetatable, tonumber, type, tostring, error = setmetatable, tonumber, type, tostring, error
local concat = table.concat
local byte, char, find, format, gsub, match, sub = string.byte, string.char, string.find, string.format, string.gsub, string.match, string.sub
local floor, huge = math.floor, math.huge

local DEPTH_MAX = 100
local EXACT_INTEGER_MAX = 2 ^ 53
local NORMAL_MIN = 2.2250738585072014e-308
local REPLACEMENT = "\239\191\189" -- U+FFFD

local marks = setmetatable({}, { __mode = "k" }) -- table -> "object" | "array"

-- ── encode ───────────────────────────────────────────────────────────────────────────────────

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function escape(letter)
  return ESCAPES[letter] or format("\\u%04x", byte(letter))
end

-- Lead byte -> how many bytes the character has, and the range of its second byte (RFC 3629).
local function utf8_shape(lead)
  if lead < 0xC2 or lead > 0xF4 then return nil end
  if lead < 0xE0 then return 2, 0x80, 0xBF end
  if lead == 0xE0 then return 3, 0xA0, 0xBF end
  if lead == 0xED then return 3, 0x80, 0x9F end
  if lead < 0xF0 then return 3, 0x80, 0xBF end
  if lead == 0xF0 then return 4, 0x90, 0xBF end
  if lead == 0xF4 then return 4, 0x80, 0x8F end
  return 4, 0x80, 0xBF
end

local function continues(letter)
  return letter ~= nil and letter >= 0x80 and letter <= 0xBF
end

local function is_utf8(text)
  local at = find(text, "[\128-\255]")
  while at do
    local lead, second, third, fourth = byte(text, at, at + 3)
    local size, low, high = utf8_shape(lead)
    if not size or not second or second < low or second > high then
      return false
    end
    if (size > 2 and not continues(third)) or (size > 3 and not continues(fourth)) then
      return false
    end
    at = find(text, "[\128-\255]", at + size)
  end
  return true
end

-- A power of two has closer neighbours below than above, so the 16 digits that read back as it may be
-- not those nearest to it but the next ones up; nil when they do not.
local function next_sixteen(number)
  local head, last, exponent = match(format("%.15e", number), "^(.*)(%d)(e.*)$")
  local text = last ~= "9" and head .. (last + 1) .. exponent
  return text and tonumber(text) == number and text or nil
end

-- The shortest decimal that reads back as the same number. Below the normal range fewer digits than 15
-- can be exact, so there every length is tried.
local function shortest(number)
  local magnitude = number < 0 and -number or number
  for digits = (magnitude < NORMAL_MIN and 1 or 15), 16 do
    local text = format("%." .. digits .. "g", number)
    if tonumber(text) == number then
      return text
    end
  end
  return next_sixteen(number) or format("%.17g", number)
end

local function encode_number(number)
  if number == floor(number) and number <= EXACT_INTEGER_MAX and number >= -EXACT_INTEGER_MAX then
    return format("%.0f", number == 0 and 0 or number)
  end
  return shortest(number)
end

-- Digits alone beyond 2^53 would come back as a string: ".0" says that it is a number.
local function encode_value_number(number)
  local text = encode_number(number)
  if (number > EXACT_INTEGER_MAX or number < -EXACT_INTEGER_MAX) and not find(text, "[.e]") then
    return text .. ".0"
  end
  return text
end

local PLAIN_KEY = "^[%a_][%w_]*$"

local function step_into(key)
  if type(key) == "number" then
    return "[" .. encode_number(key) .. "]"
  end
  if find(key, PLAIN_KEY) then
    return "." .. key
  end
  return format("[%q]", key)
end

-- A refusal carries its place from the inside out: each table on the way adds its own step.
local function refuse(refusal, message)
  refusal.message = message
  return false
end

local function along(refusal, key)
  refusal.steps[#refusal.steps + 1] = step_into(key)
  return false
end

local function encode_string(text, out, count, refusal)
  if find(text, '[%c"\\\127-\255]') then
    if not is_utf8(text) then
      return refuse(refusal, "is a string that is not UTF-8")
    end
    text = gsub(text, '[%c"\\]', escape)
  end
  out[count + 1], out[count + 2], out[count + 3] = '"', text, '"'
  return count + 3
end

-- How many elements, when the keys are exactly 1..n; nil otherwise. An empty table has 0.
local function sequence_length(value)
  local length = #value
  local keys = 0
  for key in next, value do
    keys = keys + 1
    if keys > length or type(key) ~= "number" then
      return nil
    end
  end
  if keys ~= length then
    return nil
  end
  for index = 1, length do
    if rawget(value, index) == nil then
      return nil
    end
  end
  return length
end

local encode_value

local function encode_array(value, length, out, count, refusal, depth)
  out[count + 1] = "["
  count = count + 1
  for index = 1, length do
    if index > 1 then
      count = count + 1
      out[count] = ","
    end
    local after = encode_value(rawget(value, index), out, count, refusal, depth)
    if not after then
      return along(refusal, index)
    end
    count = after
  end
  out[count + 1] = "]"
  return count + 1
end

local function key_text(value, key, refusal)
  local kind = type(key)
  if kind == "string" then
    return key
  end
  if kind ~= "number" then
    return refuse(refusal, "has a " .. kind .. " as a key")
  end
  if key ~= key or key == huge or key == -huge then
    return refuse(refusal, "has a key that is not a finite number")
  end
  local text = encode_number(key)
  if rawget(value, text) ~= nil then
    return refuse(refusal, format('has both the number %s and the string "%s" as keys', text, text))
  end
  return text
end

local function encode_object(value, out, count, refusal, depth)
  count = count + 1
  out[count] = "{"
  local first = true
  for key, item in next, value do
    if not first then
      count = count + 1
      out[count] = ","
    end
    first = false
    local name = key_text(value, key, refusal)
    if not name then
      return false
    end
    local after = encode_string(name, out, count, refusal)
    if not after then
      return refuse(refusal, "has a key that is not UTF-8")
    end
    out[after + 1] = ":"
    after = encode_value(item, out, after + 1, refusal, depth)
    if not after then
      return along(refusal, name)
    end
    count = after
  end
  out[count + 1] = "}"
  return count + 1
end

local function encode_table(value, out, count, refusal, depth)
  if depth >= DEPTH_MAX then
    return refuse(refusal, "is nested deeper than " .. DEPTH_MAX)
  end
  local open = refusal.open
  if open[value] then
    return refuse(refusal, "is inside itself")
  end
  open[value] = true
  local length = sequence_length(value)
  local mark = marks[value]
  local after
  if mark == "array" and not length then
    return refuse(refusal, "is marked as an array but its keys are not 1 to n")
  elseif length and mark ~= "object" then
    after = encode_array(value, length, out, count, refusal, depth + 1)
  else
    after = encode_object(value, out, count, refusal, depth + 1)
  end
  open[value] = nil
  return after
end

function encode_value(value, out, count, refusal, depth)
  local kind = type(value)
  if kind == "string" then
    return encode_string(value, out, count, refusal)
  elseif kind == "number" then
    if value ~= value or value == huge or value == -huge then
      return refuse(refusal, "is not a finite number")
    end
    out[count + 1] = encode_value_number(value)
    return count + 1
  elseif kind == "boolean" then
    out[count + 1] = value and "true" or "false"
    return count + 1
  elseif value == nil or rawequal(value, null) then
    out[count + 1] = "null"
    return count + 1
  elseif kind == "table" then
    return encode_table(value, out, count, refusal, depth)
  end
  return refuse(refusal, "is a " .. kind)
end

local function place(root, refusal)
  local steps = refusal.steps
  local names = { root }
  for index = #steps, 1, -1 do
    names[#names + 1] = steps[index]
  end
  return concat(names) .. " " .. refusal.message
end

local function encode(value, root)
  local out, refusal = {}, { steps = {}, open = {} }
  if encode_value(value, out, 0, refusal, 0) then
    return concat(out)
  end
  return nil, place(root or "value", refusal)
end

-- ── decode ───────────────────────────────────────────────────────────────────────────────────

-- A fault is raised as this table, caught in decode: the depth of the recursion does not matter.
local function fault(at, message)
  error({ at = at, message = message }, 0)
end

local function show_place(text, at)
  local line, start = 1, 1
  local stop = find(text, "\n", 1, true)
  while stop and stop < at do
    line, start = line + 1, stop + 1
    stop = find(text, "\n", start, true)
  end
  return format("line %d column %d", line, at - start + 1)
end

local function skip_blanks(text, at)
  local letter = byte(text, at)
  if letter and letter > 32 then
    return at
  end
  return find(text, "[^ \t\r\n]", at) or #text + 1
end

local function encode_code_point(code)
  if code < 0x80 then
    return char(code)
  elseif code < 0x800 then
    return char(0xC0 + floor(code / 0x40), 0x80 + code % 0x40)
  elseif code < 0x10000 then
    return char(0xE0 + floor(code / 0x1000), 0x80 + floor(code / 0x40) % 0x40, 0x80 + code % 0x40)
  end
  return char(0xF0 + floor(code / 0x40000), 0x80 + floor(code / 0x1000) % 0x40, 0x80 + floor(code / 0x40) % 0x40, 0x80 + code % 0x40)
end

local UNESCAPES = { ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

-- One \uXXXX, or two that make one character; half of a pair alone becomes U+FFFD.
local function decode_unicode_escape(text, at)
  local digits = match(text, "^%x%x%x%x", at + 2)
  if not digits then
    fault(at, "\\u needs four hexadecimal digits")
  end
  local code = tonumber(digits, 16)
  if code < 0xD800 or code > 0xDFFF then
    return encode_code_point(code), at + 6
  end
  local low = code < 0xDC00 and match(text, "^\\u([dD][c-fC-F]%x%x)", at + 6)
  if low then
    return encode_code_point(0x10000 + (code - 0xD800) * 0x400 + tonumber(low, 16) - 0xDC00), at + 12
  end
  return REPLACEMENT, at + 6
end

local function decode_escaped(text, at)
  local pieces, count = {}, 0
  local from = at
  while true do
    local stop = find(text, '["\\%c]', from)
    if not stop then
      fault(at - 1, "string without an end")
    end
    count = count + 1
    pieces[count] = sub(text, from, stop - 1)
    local letter = byte(text, stop)
    if letter == 34 then
      return concat(pieces), stop + 1
    elseif letter == 127 then
      pieces[count] = sub(text, from, stop)
      from = stop + 1
    elseif letter ~= 92 then
      fault(stop, "control character in a string")
    else
      local name = sub(text, stop + 1, stop + 1)
      local plain = UNESCAPES[name]
      count = count + 1
      if plain then
        pieces[count], from = plain, stop + 2
      elseif name == "u" then
        pieces[count], from = decode_unicode_escape(text, stop)
      else
        fault(stop, "unknown escape \\" .. name)
      end
    end
  end
end

local function decode_string(text, at)
  local stop = find(text, '["\\%c]', at + 1)
  local value, after
  if stop and byte(text, stop) == 34 then
    value, after = sub(text, at + 1, stop - 1), stop + 1
  else
    value, after = decode_escaped(text, at + 1)
  end
  if find(value, "[\128-\255]") and not is_utf8(value) then
    fault(at, "string that is not UTF-8")
  end
  return value, after
end

-- Integers of up to this many digits are exact and end where a delimiter follows: the short way.
local EASY_DIGITS = 15
local DELIMITERS = { [44] = true, [93] = true, [125] = true, [32] = true, [10] = true, [13] = true, [9] = true }
local ZERO, MINUS = 48, 45

local function starts_with_zero(text, at)
  local letter, following = byte(text, at, at + 1)
  if letter == MINUS then
    letter, following = byte(text, at + 1, at + 2)
  end
  return letter == ZERO and following ~= nil and following >= ZERO and following <= 57
end

local function decode_number(text, at)
  local _, whole = find(text, "^-?%d+", at)
  if not whole or starts_with_zero(text, at) then
    fault(at, "not a JSON value")
  end
  if DELIMITERS[byte(text, whole + 1) or ZERO] and whole - at < EASY_DIGITS then
    return tonumber(sub(text, at, whole)), whole + 1
  end
  local _, fraction = find(text, "^%.%d+", whole + 1)
  local stop = fraction or whole
  local _, exponent = find(text, "^[eE][+-]?%d+", stop + 1)
  stop = exponent or stop
  if find(text, "^[%w.+-]", stop + 1) then
    fault(at, "not a JSON number")
  end
  local digits = sub(text, at, stop)
  local number = tonumber(digits)
  if stop == whole and (number > EXACT_INTEGER_MAX or number < -EXACT_INTEGER_MAX or format("%.0f", number) ~= digits) then
    return digits, stop + 1
  end
  if number == huge or number == -huge then
    fault(at, "number out of range")
  end
  return number, stop + 1
end

local decode_value

local function decode_array(text, at, depth)
  local list, count = {}, 0
  at = skip_blanks(text, at + 1)
  if byte(text, at) == 93 then
    return list, at + 1
  end
  while true do
    count = count + 1
    list[count], at = decode_value(text, at, depth)
    at = skip_blanks(text, at)
    local letter = byte(text, at)
    if letter == 93 then
      return list, at + 1
    elseif letter ~= 44 then
      fault(at, "expected , or ] in an array")
    end
    at = skip_blanks(text, at + 1)
  end
end

local function decode_object(text, at, depth)
  local object = {}
  at = skip_blanks(text, at + 1)
  if byte(text, at) == 125 then
    return object, at + 1
  end
  while true do
    if byte(text, at) ~= 34 then
      fault(at, "expected a key in double quotes")
    end
    local key, value
    key, at = decode_string(text, at)
    at = skip_blanks(text, at)
    if byte(text, at) ~= 58 then
      fault(at, "expected : after the key")
    end
    value, at = decode_value(text, skip_blanks(text, at + 1), depth)
    if rawequal(value, null) then
      value = nil
    end
    object[key] = value
    at = skip_blanks(text, at)
    local letter = byte(text, at)
    if letter == 125 then
      return object, at + 1
    elseif letter ~= 44 then
      fault(at, "expected , or } in an object")
    end
    at = skip_blanks(text, at + 1)
  end
end

function decode_value(text, at, depth)
  local letter = byte(text, at)
  if letter == 34 then
    return decode_string(text, at)
  elseif letter == 123 or letter == 91 then
    if depth >= DEPTH_MAX then
      fault(at, "nested deeper than " .. DEPTH_MAX)
    end
    return (letter == 123 and decode_object or decode_array)(text, at, depth + 1)
  elseif letter == 116 and find(text, "^true", at) then
    return true, at + 4
  elseif letter == 102 and find(text, "^false", at) then
    return false, at + 5
  elseif letter == 110 and find(text, "^null", at) then
    return null, at + 4
  elseif letter == nil then
    fault(at, "unexpected end")
  end
  return decode_number(text, at)
end

local function decode_whole(text)
  local value, at = decode_value(text, skip_blanks(text, 1), 0)
  at = skip_blanks(text, at)
  if at <= #text then
    fault(at, "unexpected text after the value")
  end
  return value
end

local function decode(text)
  local done, value = pcall(decode_whole, text)
  if done then
    return value
  end
  if type(value) ~= "table" then
    error(value, 0) -- out of memory, or too deep: not the text's fault
  end
  return nil, format("invalid JSON at %s: %s", show_place(text, value.at), value.message)
end

local function mark(as)
  return function(value)
    marks[value] = as
    return value
  end
end

return { encode = encode, decode = decode, object = mark("object"), array = mark("array") }
