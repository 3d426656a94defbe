--- Tests of the polls: goop2 lua test

local OWNER = { owner = true }

local function poll(action, params, who)
  params = params or {}
  params.action = action
  return call("poll", params, who)
end

-- A test has a copy of your database, with the polls that are in it.
local function one_poll()
  goop.db.exec("DELETE FROM polls")
  goop.db.exec("DELETE FROM poll_answers")
  return poll("ask", { question = "Tea or coffee?", choices = "Tea\n Coffee \n\n" }, OWNER)
end

test("a peer has one answer, and may change it", function()
  local id = one_poll()
  poll("answer", { id = id, choice = 1 }, { as = "ann" })
  poll("answer", { id = id, choice = 2 }, { as = "ann" })
  poll("answer", { id = id, choice = 2 }, { as = "bob" })
  local seen = poll("list", {}, { as = "ann" }).polls[1]
  expect(seen.choices).equals({ "Tea", "Coffee" })
  expect(seen.counts).equals({ 0, 2 })
  expect(seen.mine).equals(2)
  expect(#rows("poll_answers")).equals(2)
end)

test("the database refuses a second answer of the same peer, whatever a script does", function()
  local id = one_poll()
  poll("answer", { id = id, choice = 1 }, { as = "ann" })
  local again, err = goop.schema.insert("poll_answers", { ballot = id .. ":ann", poll = id, choice = 2 })
  expect(again).equals(nil)
  expect(#rows("poll_answers")).equals(1)
end)

test("counts are for those who have answered, the owner, and all once it is closed", function()
  local id = one_poll()
  poll("answer", { id = id, choice = 1 }, { as = "ann" })
  local function counts(who) return poll("list", {}, who).polls[1].counts end
  expect(counts({ as = "bob" })).equals(nil)
  expect(counts(OWNER)).equals({ 1, 0 })
  poll("close", { id = id, closed = true }, OWNER)
  expect(counts({ as = "bob" })).equals({ 1, 0 })
  expect(function() poll("answer", { id = id, choice = 1 }, { as = "bob" }) end).fails("this poll is closed")
end)

test("what is no answer is refused, and nobody but the owner asks, closes or removes", function()
  local id = one_poll()
  for _, choice in ipairs({ 0, 3, 1.5, "x" }) do
    expect(function() poll("answer", { id = id, choice = choice }, { as = "ann" }) end).fails("choose one of the answers")
  end
  for _, action in ipairs({ "ask", "close", "remove" }) do
    expect(function() poll(action, { id = id, question = "?", choices = "a\nb" }, { as = "ann" }) end).fails("only the site owner can do this")
  end
  expect(function() poll("ask", { question = "One?", choices = "yes" }, OWNER) end).fails("give two to 10 answers")
  poll("remove", { id = id }, OWNER)
  expect(#rows("polls")).equals(0)
end)
