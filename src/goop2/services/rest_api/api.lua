-- The data function `api` of a site that has none of its own: Goop.api.get, list, insert, update, delete and map.
-- It gives answers their shape. `perform(operation, resource, request)` is the peer's: it knows api.json, adds its filter and its
-- fields, and applies the caller's policy -> answer | nil, error class, message.

local function refuse(message)
  return nil, "bad_request", message
end

local function whole(value, default)
  value = tonumber(value)
  if value and value >= 0 and value == math.floor(value) then
    return value
  end
  return default
end

local function quoted(name)
  return '"' .. name:gsub('"', '""') .. '"'
end

-- The condition that finds the row meant by {slug = …} or {id = …}.
local function which(resource, params)
  if params.slug ~= nil and params.slug ~= goop.json.null then
    if not resource.slug then
      return nil, params.resource .. " has no slug: ask by id"
    end
    -- With the table in front: SQLite takes a name in quotes that is no column for a text, which every row would meet.
    return quoted(resource.table) .. "." .. quoted(resource.slug) .. " = ?", params.slug
  elseif params.id ~= nil and params.id ~= goop.json.null then
    return "_id = ?", params.id
  end
  return nil, "say which: {slug: …} or {id: …}"
end

local actions = {}

function actions.get(perform, resource, params)
  local where, key = which(resource, params)
  if not where then
    return refuse(key)
  end
  local rows, class, message = perform("rows", params.resource, { where = where, args = { key }, limit = 1 })
  if not rows then
    return nil, class, message
  elseif not rows[1] then
    return { found = false }
  end
  return { found = true, item = rows[1] }
end

function actions.list(perform, resource, params)
  local request = {
    order = resource.list.order,
    limit = math.min(whole(params.limit, resource.list.limit), resource.list.limit),
    offset = whole(params.offset, 0),
  }
  local rows, class, message = perform("rows", params.resource, request)
  if not rows then
    return nil, class, message
  end
  return { items = goop.json.array(rows) }
end

function actions.map(perform, resource, params)
  local rows, class, message = perform("pairs", params.resource, { order = "_id" })
  if not rows then
    return nil, class, message
  end
  local map = {}
  for _, row in ipairs(rows) do
    local key = row[resource.map.key]
    if key ~= nil then
      map[tostring(key)] = row[resource.map.value]
    end
  end
  return goop.json.object(map)
end

function actions.insert(perform, resource, params)
  local done, class, message = perform("insert", params.resource, { data = params.data })
  if not done then
    return nil, class, message
  end
  return { id = done.id }
end

-- Changes the one row that is meant.
local function change(perform, resource, params, operation, request)
  local where, key = which(resource, params)
  if not where then
    return refuse(key)
  end
  local ids, class, message = perform("ids", params.resource, { where = where, args = { key }, limit = 1 })
  if not ids then
    return nil, class, message
  elseif not ids[1] then
    return nil, "not_found", params.resource .. " has no such item"
  end
  request.id = ids[1]._id
  local done
  done, class, message = perform(operation, params.resource, request)
  if not done then
    return nil, class, message
  end
  return { ok = true }
end

function actions.update(perform, resource, params)
  return change(perform, resource, params, "update", { data = params.data })
end

actions["delete"] = function(perform, resource, params)
  return change(perform, resource, params, "delete", {})
end

function call(request, perform)
  local params = request.params
  local action = type(params.action) == "string" and actions[params.action]
  if not action then
    return refuse("action should be one of get, list, insert, update, delete, map")
  elseif type(params.resource) ~= "string" then
    return refuse("resource should be the name of one")
  end
  local resource, class, message = perform("resource", params.resource, {})
  if not resource then
    return nil, class, message
  elseif not resource[params.action] then
    return nil, "forbidden", params.resource .. " cannot be asked for " .. params.action
  end
  return action(perform, resource, params)
end
