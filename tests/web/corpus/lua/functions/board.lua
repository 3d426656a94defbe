--- A board everybody may move cards on
local cards
local function t()
  cards = cards or goop.orm("cards")
  return cards
end
local function list() return t():find({ order = "lane, position" }) end
local function add(p)
  local last = t():aggregate("COALESCE(MAX(position), -1) as v", { where = "lane = ?", args = { p.lane } })[1].v
  local id, err = t():insert({ title = p.title, lane = p.lane, position = last + 1 })
  if not id then error(err) end
  return id
end
local function move(p)
  local card = t():get(p.id)
  if not card then error("card not found") end
  t():update_where({ position = goop.expr("position - 1") }, { where = "lane = ? AND position > ?", args = { card.lane, card.position } })
  t():update_where({ position = goop.expr("position + 1") }, { where = "lane = ? AND position >= ?", args = { p.lane, p.position } })
  t():update(p.id, { lane = p.lane, position = p.position })
  return list()
end
call = goop.route{ list = list, add = add, move = move, remove = goop.owner(function(p) return t():delete(p.id) end) }
