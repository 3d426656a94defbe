-- JSON inside the VM: how every value crosses the wall (spec: "Values across the wall").
-- Runs in the script's own VM, so its work is paid from the script's own time and memory.
-- It and its parts must follow no metatable and use no global at run time. A part is put where --@ names its file (vm.py).
--
-- Arguments: null, the value that stands for JSON's null; is_out_of_memory(raised); collectgarbage, Lua's.
-- Returns {encode(value, root[, bytes_max]) -> text | nil, message; decode(text) -> value | nil, message;
--          object(t) / array(t) -> t, marked for encode; params(text) -> table | nil, message; result(value) -> text}.
local null, is_out_of_memory, collectgarbage = ...

local DEPTH_MAX = 100
local EXACT_INTEGER_MAX = 2 ^ 53
local marks = setmetatable({}, { __mode = "k" }) -- table -> "object" | "array" | "empty", an object that came in without keys

local is_utf8 = (function(...)
--@utf8.lua
end)()

local encode = (function(...)
--@encode.lua
end)(null, is_utf8, DEPTH_MAX, EXACT_INTEGER_MAX, marks)

local decode = (function(...)
--@decode.lua
end)(null, is_utf8, DEPTH_MAX, EXACT_INTEGER_MAX, marks)

local function mark(as)
  return function(value)
    marks[value] = as
    return value
  end
end

local params, result = (function(...)
--@function.lua
end)(null, encode, decode, mark("empty"), is_out_of_memory, collectgarbage)

return { encode = encode, decode = decode, object = mark("object"), array = mark("array"), params = params, result = result }
