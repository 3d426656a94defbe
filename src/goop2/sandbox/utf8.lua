-- Whether text is UTF-8. Part of json.lua; gives is_utf8(text).
local byte, find = string.byte, string.find

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

return is_utf8
