--- The to-do list: everybody may list it; the owner adds, ticks, renames, removes and clears
--- @rate_limit 60

local LIST_MAX = 500
local TITLE_MAX = 200

local todos = goop.orm("todos")

-- What the database or a check refuses becomes the caller's error.
local function must(result, err)
  if not result then error(err) end
  return result
end

local function title_of(params)
  local title = type(params.title) == "string" and params.title:match("^%s*(.-)%s*$") or ""
  if title == "" then error("write what there is to do") end
  if #title > TITLE_MAX then error("that is longer than " .. TITLE_MAX .. " letters") end
  return title
end

local function list()
  return { items = todos:find({ order = "done, _id DESC" }), owner = goop.peer.id == goop.self.id }
end

local function add(params)
  local title = title_of(params)
  if todos:count() >= LIST_MAX then error("the list is full: clear what is done") end
  return must(todos:insert({ title = title, done = 0 }))
end

local function tick(params)
  must(todos:get(params.id))
  return must(todos:update(params.id, { done = params.done and 1 or 0 }))
end

local function rename(params)
  must(todos:get(params.id))
  return must(todos:update(params.id, { title = title_of(params) }))
end

local function remove(params)
  return must(todos:delete(params.id))
end

local function clear()
  return todos:delete_where({ where = "done = 1" })
end

call = goop.route({
  list = list,
  add = goop.owner(add),
  tick = goop.owner(tick),
  rename = goop.owner(rename),
  remove = goop.owner(remove),
  clear = goop.owner(clear),
})
