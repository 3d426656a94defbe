-- What a script sees of the goop table: "names" lists it, "errors" says what each function says to wrong arguments.
local WRONG = { nothing = {}, number = { 1.5 }, text = { "nosuch" }, list = { {} }, boolean = { true }, texts = { "nosuch", "x" } }
local ORDER = { "nothing", "number", "text", "list", "boolean", "texts" }
local LOGS = { ["log.info"] = true, ["log.warn"] = true, ["log.error"] = true }

local function walk(at, value, visit)
  visit(at, value)
  if type(value) == "table" then
    for key, inner in pairs(value) do
      walk(at == "" and tostring(key) or at .. "." .. tostring(key), inner, visit)
    end
  end
end

local function names()
  local found = {}
  walk("", goop, function(at, value) if at ~= "" then found[at] = type(value) end end)
  return found
end

local function globals()
  local found = {}
  for key, value in pairs(_G) do found[tostring(key)] = type(value) end
  return found
end

local function told(value)
  if type(value) == "string" and value:find("^" .. ("%x"):rep(16) .. "$") then return "(an id)" end -- of a group
  return type(value) == "string" and value or type(value)
end

local function errors()
  local found, functions, order = {}, {}, {}
  walk("", goop, function(at, value)
    if type(value) == "function" and not LOGS[at] then functions[at], order[#order + 1] = value, at end
  end)
  table.sort(order) -- what one does the next may see
  for _, at in ipairs(order) do
    local value = functions[at]
    local answers = {}
    for _, kind in ipairs(ORDER) do
      local ok, first, second = pcall(value, unpack(WRONG[kind]))
      answers[kind] = ok and { first = told(first), second = told(second) } or { raises = told(first) }
    end
    found[at] = goop.json.object(answers)
  end
  return found
end
