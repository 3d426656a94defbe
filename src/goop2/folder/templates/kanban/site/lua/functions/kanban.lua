--- Changes the board: add, edit, move and remove cards; the owner lets others in
--- @rate_limit 120

local LANES = { todo = true, doing = true, done = true }
local CARDS_MAX = 200
local CARDS_OF_ONE_MAX = 20 -- of a visitor
local TITLE_MAX = 120
local NOTE_MAX = 1000

local cards = goop.orm("cards")
local is_owner = goop.peer.id == goop.self.id

local function must(result, err)
  if not result then error(err) end
  return result
end

local function settings()
  return goop.config("board", { open = "0" })
end

local function check_writer()
  if not is_owner and settings().open ~= "1" then error("this board is only to be looked at") end
end

-- Moving is for all who may write; what a card says is for who made it, and for the owner.
local function check_author(card)
  check_writer()
  if not is_owner and card._owner ~= goop.peer.id then error("that card is somebody else's") end
end

local function text_of(value, most, what)
  local text = type(value) == "string" and value:match("^%s*(.-)%s*$") or ""
  if #text > most then error(what .. " is longer than " .. most .. " letters") end
  return text
end

local function title_of(params)
  local title = text_of(params.title, TITLE_MAX, "the title")
  if title == "" then error("a card needs a title") end
  return title
end

local function lane_of(params)
  if not LANES[params.lane] then error("lanes are todo, doing and done") end
  return params.lane
end

local function length(lane)
  return cards:count({ where = "lane = ?", args = { lane } })
end

-- Positions in a lane are 0, 1, 2 …: a card that goes leaves no gap, one that comes makes one.
local function close_gap(lane, position)
  cards:update_where({ position = goop.expr("position - 1") }, { where = "lane = ? AND position > ?", args = { lane, position } })
end

local function make_gap(lane, position)
  cards:update_where({ position = goop.expr("position + 1") }, { where = "lane = ? AND position >= ?", args = { lane, position } })
end

local function add(params)
  check_writer()
  local row = { title = title_of(params), note = text_of(params.note, NOTE_MAX, "the note"), lane = lane_of(params) }
  if cards:count() >= CARDS_MAX then error("the board is full: remove what is done") end
  if not is_owner and cards:count({ where = "_owner = ?", args = { goop.peer.id } }) >= CARDS_OF_ONE_MAX then
    error("you have " .. CARDS_OF_ONE_MAX .. " cards here: remove one first")
  end
  row.position = length(row.lane)
  return must(cards:insert(row))
end

local function edit(params)
  local card = must(cards:get(params.id))
  check_author(card)
  return must(cards:update(card._id, { title = title_of(params), note = text_of(params.note, NOTE_MAX, "the note") }))
end

local function move(params)
  check_writer()
  local card, lane = must(cards:get(params.id)), lane_of(params)
  close_gap(card.lane, card.position)
  -- Out of its lane first, or it would be counted where it was.
  must(cards:update(card._id, { lane = lane, position = -1 }))
  local last = length(lane) - 1
  local position = math.floor(math.min(math.max(tonumber(params.position) or last, 0), last))
  make_gap(lane, position)
  return must(cards:update(card._id, { position = position }))
end

local function remove(params)
  local card = must(cards:get(params.id))
  check_author(card)
  close_gap(card.lane, card.position)
  return must(cards:delete(card._id))
end

local function open(params)
  return must(settings():set("open", params.open and "1" or "0"))
end

-- Two who write at once must not see half of what the other does.
local function whole(action)
  return function(params)
    return goop.db.transaction(function() return action(params) end)
  end
end

call = goop.route({ add = whole(add), edit = whole(edit), move = whole(move), remove = whole(remove), open = goop.owner(open) })
