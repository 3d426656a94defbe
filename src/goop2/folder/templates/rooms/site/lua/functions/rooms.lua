--- Chat rooms: everybody may list them, enter and talk; the owner opens and closes
--- @rate_limit 60

-- A room of the network lives as long as this peer runs. The table keeps what it is called, and which one it is now (`live`): the first to
-- enter after a restart has it opened anew.
local ROOMS_MAX = 12
local NAME_MAX = 60
local ABOUT_MAX = 200

local rooms = goop.orm("rooms")

local function must(result, err)
  if not result then error(err) end
  return result
end

local function text_of(value, most, what)
  local text = type(value) == "string" and value:match("^%s*(.-)%s*$") or ""
  if #text > most then error(what .. " is longer than " .. most .. " letters") end
  return text
end

-- The rooms that are open now: id → how many are there.
local function open_now()
  local found = {}
  for _, room in ipairs(goop.chat.rooms()) do
    found[room.id] = type(room.members) == "table" and #room.members or tonumber(room.members) or 0
  end
  return found
end

local function list()
  local there, shown = open_now(), {}
  for place, room in ipairs(rooms:find({ order = "name COLLATE NOCASE, _id" })) do
    shown[place] = { id = room._id, name = room.name, about = room.about or "", here = there[room.live] or 0 }
  end
  return { rooms = goop.json.array(shown), owner = goop.peer.id == goop.self.id }
end

local function open(params)
  local name = text_of(params.name, NAME_MAX, "the name")
  if name == "" then error("a room needs a name") end
  if rooms:count() >= ROOMS_MAX then error("there are " .. ROOMS_MAX .. " rooms: close one first") end
  return must(rooms:insert({ name = name, about = text_of(params.about, ABOUT_MAX, "what it is about"), live = "" }))
end

local function close(params)
  local room = must(rooms:get(params.id))
  if open_now()[room.live] then goop.chat.close(room.live) end
  return must(rooms:delete(room._id))
end

-- Gives { id, name, about, room, host, me }: a peer's page joins the room by `host` and `room`.
local function enter(params)
  local room = must(rooms:get(params.id))
  local live = room.live
  if not open_now()[live] then
    local made = must(goop.chat.create(room.name, room.about or "", 0, "rooms"))
    -- Of two who enter at once, one opens it.
    local changed = rooms:update_where({ live = made.id }, { where = "_id = ? AND live = ?", args = { room._id, live } })
    live = made.id
    if changed == 0 then
      goop.chat.close(made.id)
      live = must(rooms:get(params.id)).live
    end
  end
  return { id = room._id, name = room.name, about = room.about or "", room = live, host = goop.self.id, me = goop.peer.id }
end

-- For who has no peer, and for programs that have no rooms: a peer's page sends by itself.
local function say(params)
  local room = must(rooms:get(params.id))
  local text = text_of(params.text, 2000, "that")
  if text == "" then error("say something") end
  local err = goop.chat.send(room.live, text)
  if err then error(err) end
  return true
end

call = goop.route({ list = list, enter = enter, say = say, open = goop.owner(open), close = goop.owner(close) })
