-- A Lua value as JSON text. Part of json.lua; gives encode(value, root[, bytes_max]) -> text | nil, message.
-- `marks`: table -> "object" | "array", what a script said it is to be written as, or "empty": while it is, it is an object.
local null, is_utf8, DEPTH_MAX, EXACT_INTEGER_MAX, marks = ...

local next, rawequal, rawget, tonumber, type = next, rawequal, rawget, tonumber, type
local concat, sort = table.concat, table.sort
local byte, find, format, gsub, match = string.byte, string.find, string.format, string.gsub, string.match
local floor, huge = math.floor, math.huge

local NORMAL_MIN = 2.2250738585072014e-308

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function escape(letter)
  return ESCAPES[letter] or format("\\u%04x", byte(letter))
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

-- A text far beyond its most is not made to its end: memory would run out over it, and that be told instead.
local FAR_BEYOND, LARGE_BYTES = 4, 65536

-- Counts bytes; those of a large string twice, when it is met and when it is joined. false when they are far too many.
local function count_bytes(refusal, bytes)
  refusal.bytes = refusal.bytes + bytes
  if refusal.bytes <= FAR_BEYOND * refusal.bytes_max then
    return true
  end
  refusal.whole = format("is more than %d bytes of JSON", refusal.bytes_max)
  return false
end

-- Printable ASCII without " and \ needs nothing done. One run from the start is what the pattern matcher does fastest.
local PLAIN_TEXT = "^[]-~ !#-[]*$"

local function encode_string(text, out, count, refusal)
  if #text > LARGE_BYTES and not count_bytes(refusal, #text) then
    return false
  end
  if not find(text, PLAIN_TEXT) then
    if not is_utf8(text) then
      return refuse(refusal, "is a string that is not UTF-8")
    end
    text = gsub(text, '[%c"\\]', escape)
  end
  out[count + 1], out[count + 2], out[count + 3] = '"', text, '"'
  return count + 3
end

-- Pieces are joined in between: the text of a large result and its pieces together would not fit beside the result.
local PIECES_MAX = 4096

local function join(out, count, refusal)
  local joined = refusal.joined or {}
  local text = concat(out, "", 1, count)
  joined[#joined + 1] = text
  refusal.joined = joined
  return count_bytes(refusal, #text) and 0
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
    if count > PIECES_MAX then
      count = join(out, count, refusal)
      if not count then
        return false
      end
    end
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

local LABELS_MAX = 1000 -- keys of one value that are remembered as written

-- A key and its colon, as written; the rows of one result share theirs. false when it cannot be one.
local function key_label(value, key, refusal)
  local name = key_text(value, key, refusal)
  local pieces = {}
  if not name then
    return false
  elseif not encode_string(name, pieces, 0, refusal) then
    return refuse(refusal, "has a key that is not UTF-8")
  end
  local label = concat(pieces) .. ":"
  if type(key) == "string" and refusal.labels_room > 0 then
    refusal.labels_room = refusal.labels_room - 1
    refusal.labels[key] = label
  end
  return label
end

local KNOWN_MAX = 100 -- keys of an object that are remembered for the next

local function set_of(keys)
  local set = {}
  for index = 1, #keys do
    set[keys[index]] = true
  end
  return set
end

-- Whether `value` has the keys of the object written before it, as the rows of a result have.
local function has_known_keys(value, refusal)
  local keys, count = refusal.keys, 0
  if not keys then
    return false
  end
  local known = refusal.known or set_of(keys)
  refusal.known = known
  for key in next, value do
    if not known[key] then
      return false
    end
    count = count + 1
  end
  return count == #keys
end

-- The keys in their order, numbers before names: the same value is always the same text. false when one can be neither.
local function sorted_keys(value, refusal)
  if has_known_keys(value, refusal) then
    return refusal.keys
  end
  local names, keys = {}, {}
  for key in next, value do
    if type(key) == "string" then
      names[#names + 1] = key
    elseif key_text(value, key, refusal) then
      keys[#keys + 1] = key
    else
      return false
    end
  end
  sort(keys)
  sort(names)
  for index = 1, #names do
    keys[#keys + 1] = names[index]
  end
  refusal.keys, refusal.known = #keys <= KNOWN_MAX and keys or nil, nil
  return keys
end

local function encode_object(value, out, count, refusal, depth)
  local keys = sorted_keys(value, refusal)
  if not keys then
    return false
  end
  local labels = refusal.labels
  count = count + 1
  out[count] = "{"
  for index = 1, #keys do
    if index > 1 then
      count = count + 1
      out[count] = ","
    end
    local key = keys[index]
    local label = labels[key] or key_label(value, key, refusal)
    if not label then
      return false
    end
    out[count + 1] = label
    local after = encode_value(rawget(value, key), out, count + 1, refusal, depth)
    if not after then
      return along(refusal, key)
    end
    count = after
    if count > PIECES_MAX then
      count = join(out, count, refusal)
      if not count then
        return false
      end
    end
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
  elseif length and mark ~= "object" and (mark ~= "empty" or length > 0) then
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
  if refusal.whole then
    return root .. " " .. refusal.whole
  end
  local steps = refusal.steps
  local names = { root }
  for index = #steps, 1, -1 do
    names[#names + 1] = steps[index]
  end
  return concat(names) .. " " .. refusal.message
end

local function encode(value, root, bytes_max)
  local out = {}
  local refusal = {
    steps = {}, open = {}, labels = {}, labels_room = LABELS_MAX, bytes = 0, bytes_max = bytes_max or huge,
  }
  local count = encode_value(value, out, 0, refusal, 0)
  if count and not refusal.joined then
    return concat(out, "", 1, count)
  elseif count and join(out, count, refusal) then
    return concat(refusal.joined)
  end
  return nil, place(root or "value", refusal)
end

return encode
