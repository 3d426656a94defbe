-- Objects with methods that functions of the goop table give: handles, such as that of `goop.orm`. Loaded when a script first asks for one.
-- It must follow no metatable of a script and use no global.
--
-- Arguments: prepare, ask, received: as in calls.lua
-- Returns: open(done_here, name, signature, methods, ...) -> the handle, or what the operation answered instead.
--          done_here: operation -> what does it, where it is Lua of ours; nil where the host does it
--
-- The operation answers the fields of the handle, a table. `methods` is name -> signature; method `find` of `orm` is the operation
-- `orm.find`, whose first argument is the first one the handle was opened with. Where `orm` is Lua of ours it is the handle itself.
local prepare, ask, received = ...

local error, format, next, rawget, select, setmetatable, type, unpack =
  error, string.format, next, rawget, select, setmetatable, type, unpack

-- Handle -> what its methods' operations get first. A script cannot change it, as it could a field.
local bound_to = setmetatable({}, { __mode = "k" })
-- Function -> metatable of its handles.
local classes = {}

local function pass(...)
  return ...
end

-- error levels are those of `call` in calls.lua: a method stands where a goop function does.
local function invoke(done_here, operation, signature, bound, ...)
  local arguments = { ... }
  local count = prepare(operation, signature, arguments, select("#", ...))
  for position = count, 1, -1 do
    arguments[position + 1] = arguments[position]
  end
  arguments[1] = bound
  local work = done_here and done_here[operation]
  if work then
    return pass(work(unpack(arguments, 1, count + 1)))
  end
  return pass(received(ask(operation, arguments, count + 1)))
end

local function method_of(done_here, operation, method, signature)
  return function(handle, ...)
    local bound = handle ~= nil and rawget(bound_to, handle)
    if not bound then
      error(format("goop.%s is called with a colon, as in handle:%s(...)", operation, method), 2)
    end
    return pass(invoke(done_here, operation, signature, bound, ...))
  end
end

local function class_of(done_here, name, methods)
  local class = {}
  for method, signature in next, methods do
    class[method] = method_of(done_here, name .. "." .. method, method, signature)
  end
  classes[name] = { __index = class, __metatable = "goop." .. name }
  return classes[name]
end

local function handle_of(done_here, name, methods, bound, handle, ...)
  if type(handle) ~= "table" then
    return handle, ...
  end
  bound_to[handle] = bound or handle
  return setmetatable(handle, classes[name] or class_of(done_here, name, methods))
end

return function(done_here, name, signature, methods, ...)
  local arguments = { ... }
  local count = prepare(name, signature, arguments, select("#", ...))
  if done_here then
    return pass(handle_of(done_here, name, methods, nil, done_here[name](unpack(arguments, 1, count))))
  end
  return pass(handle_of(nil, name, methods, arguments[1], received(ask(name, arguments, count))))
end
