-- JSON text as a Lua value. Part of json.lua; gives decode(text) -> value | nil, message.
local null, is_utf8, DEPTH_MAX, EXACT_INTEGER_MAX, marks = ...

local error, next, pcall, rawequal, tonumber, type = error, next, pcall, rawequal, tonumber, type
local concat = table.concat
local byte, char, find, format, match, sub = string.byte, string.char, string.find, string.format, string.match, string.sub
local floor, huge = math.floor, math.huge

local BYTE_ORDER_MARK = "^\239\187\191" -- some editors and services write it in front
local REPLACEMENT = "\239\191\189" -- U+FFFD

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

-- An object without keys (or with nulls alone) goes out as one again, as long as it is empty.
local function came_in_empty(object)
  marks[object] = "empty"
  return object
end

local function decode_object(text, at, depth)
  local object = {}
  at = skip_blanks(text, at + 1)
  if byte(text, at) == 125 then
    return came_in_empty(object), at + 1
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
      return next(object) == nil and came_in_empty(object) or object, at + 1
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
  local start = find(text, BYTE_ORDER_MARK) and 4 or 1
  local value, at = decode_value(text, skip_blanks(text, start), 0)
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

return decode
