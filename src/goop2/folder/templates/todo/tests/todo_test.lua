--- Tests of the to-do list: goop2 lua test

local OWNER = { owner = true }

-- A test has a copy of your database, with the list that is in it.
local function nothing_to_do()
  goop.db.exec("DELETE FROM todos")
end

local function todo(action, params, who)
  params = params or {}
  params.action = action
  return call("todo", params, who)
end

test("the owner adds, ticks, renames and clears", function()
  nothing_to_do()
  local milk = todo("add", { title = "  Milk " }, OWNER)
  todo("add", { title = "Bread" }, OWNER)
  todo("tick", { id = milk, done = true }, OWNER)
  todo("rename", { id = milk, title = "Oat milk" }, OWNER)
  local items = todo("list", {}, OWNER).items
  expect(items[1].title).equals("Bread")
  expect(items[2].title).equals("Oat milk")
  expect(todo("clear", {}, OWNER)).equals(1)
  expect(#rows("todos")).equals(1)
end)

test("a visitor reads, and changes nothing", function()
  nothing_to_do()
  local id = todo("add", { title = "Milk" }, OWNER)
  local seen = todo("list", {}, { as = "ann" })
  expect(seen.owner).equals(false)
  expect(#seen.items).equals(1)
  for _, action in ipairs({ "add", "tick", "rename", "remove", "clear" }) do
    expect(function() todo(action, { id = id, title = "Mine", done = true }, { as = "ann" }) end).fails("only the site owner can do this")
  end
  expect(rows("todos")[1].title).equals("Milk")
end)

test("an empty title, a long one, and what is not there are refused", function()
  nothing_to_do()
  expect(function() todo("add", { title = "  " }, OWNER) end).fails("write what there is to do")
  expect(function() todo("add", { title = ("x"):rep(201) }, OWNER) end).fails("longer than 200 letters")
  expect(function() todo("tick", { id = 4711, done = true }, OWNER) end).fails("not found")
end)
