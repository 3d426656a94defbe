--- Tests of the rooms: goop2 lua test

local OWNER = { owner = true }

local function ask(action, params, who)
  params = params or {}
  params.action = action
  return call("rooms", params, who)
end

-- A test has a copy of your database, with the rooms that are in it.
local function no_rooms()
  goop.db.exec("DELETE FROM rooms")
end

test("the owner opens rooms, and everybody sees them", function()
  no_rooms()
  ask("open", { name = "  Lounge ", about = "For all" }, OWNER)
  ask("open", { name = "Attic" }, OWNER)
  local seen = ask("list", {}, { as = "ann" })
  expect(seen.owner).equals(false)
  expect(seen.rooms[1].name).equals("Attic")
  expect(seen.rooms[2]).equals({ id = seen.rooms[2].id, name = "Lounge", about = "For all", here = 0 })
end)

test("a visitor opens and closes none", function()
  no_rooms()
  local id = ask("open", { name = "Lounge" }, OWNER)
  for _, action in ipairs({ "open", "close" }) do
    expect(function() ask(action, { id = id, name = "Mine" }, { as = "ann" }) end).fails("only the site owner can do this")
  end
  ask("close", { id = id }, OWNER)
  expect(#rows("rooms")).equals(0)
end)

test("a room that is not of this site is not shown, and nobody speaks in it", function()
  no_rooms()
  expect(function() call("room", { id = 4711 }, { as = "ann" }) end).fails("that room is closed")
  expect(function() ask("say", { id = 4711, text = "Hello" }, { as = "ann" }) end).fails("not found")
end)

test("a name is needed, and twelve rooms are enough", function()
  no_rooms()
  expect(function() ask("open", { name = " " }, OWNER) end).fails("a room needs a name")
  for number = 1, 12 do ask("open", { name = "Room " .. number }, OWNER) end
  expect(function() ask("open", { name = "One more" }, OWNER) end).fails("there are 12 rooms")
end)
