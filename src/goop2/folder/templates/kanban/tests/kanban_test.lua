--- Tests of the board: goop2 lua test

local OWNER = { owner = true }

local function ask(action, params, who)
  params = params or {}
  params.action = action
  return call("kanban", params, who)
end

-- A test has a copy of your database, with the cards that are in it.
local function three_cards()
  goop.db.exec("DELETE FROM cards")
  ask("open", { open = false }, OWNER)
  local ids = {}
  for place, title in ipairs({ "One", "Two", "Three" }) do ids[place] = ask("add", { title = title, lane = "todo" }, OWNER) end
  return ids
end

local function lane(name, who)
  local titles = {}
  for _, card in ipairs(call("kanban-board", {}, who or OWNER).cards) do
    if card.lane == name then
      expect(card.position).equals(#titles)
      titles[#titles + 1] = card.title
    end
  end
  return table.concat(titles, " ")
end

test("a card moves in its lane and to another, and leaves no gap", function()
  local ids = three_cards()
  ask("move", { id = ids[3], lane = "todo", position = 0 }, OWNER)
  expect(lane("todo")).equals("Three One Two")
  ask("move", { id = ids[1], lane = "done", position = 7 }, OWNER)
  expect(lane("todo")).equals("Three Two")
  expect(lane("done")).equals("One")
  ask("move", { id = ids[2], lane = "done", position = 0 }, OWNER)
  expect(lane("done")).equals("Two One")
  ask("remove", { id = ids[2] }, OWNER)
  expect(lane("done")).equals("One")
end)

test("a visitor only looks, until the owner opens the board", function()
  local ids = three_cards()
  for _, action in ipairs({ "add", "edit", "move", "remove" }) do
    expect(function() ask(action, { id = ids[1], title = "Mine", lane = "done" }, { as = "ann" }) end).fails("only to be looked at")
  end
  expect(function() ask("open", { open = true }, { as = "ann" }) end).fails("only the site owner can do this")
  ask("open", { open = true }, OWNER)
  local mine = ask("add", { title = "Mine", lane = "doing" }, { as = "ann" })
  ask("move", { id = ids[1], lane = "done" }, { as = "ann" })
  expect(lane("done")).equals("One")
  expect(function() ask("edit", { id = ids[1], title = "Mine" }, { as = "ann" }) end).fails("somebody else's")
  expect(function() ask("remove", { id = mine }, { as = "bob" }) end).fails("somebody else's")
  ask("remove", { id = mine }, { as = "ann" })
end)

test("what is no card and no lane is refused, and nothing has moved", function()
  local ids = three_cards()
  expect(function() ask("add", { title = " ", lane = "todo" }, OWNER) end).fails("a card needs a title")
  expect(function() ask("add", { title = "x", lane = "nowhere" }, OWNER) end).fails("lanes are todo, doing and done")
  expect(function() ask("move", { id = ids[1], lane = "nowhere" }, OWNER) end).fails("lanes are")
  expect(function() ask("move", { id = 4711, lane = "done" }, OWNER) end).fails("not found")
  expect(lane("todo")).equals("One Two Three")
end)

test("a visitor has twenty cards at most", function()
  three_cards()
  ask("open", { open = true }, OWNER)
  for number = 1, 20 do ask("add", { title = "Card " .. number, lane = "todo" }, { as = "ann" }) end
  expect(function() ask("add", { title = "One more", lane = "todo" }, { as = "ann" }) end).fails("you have 20 cards here")
end)
