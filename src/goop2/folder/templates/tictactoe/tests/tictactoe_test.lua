--- Tests of the rules: goop2 lua test

local function move(who, game, position)
  return call("move", { game_id = game, position = position }, { as = who })
end

-- A test has a copy of your database, with the games that are in it.
local function no_games()
  goop.db.exec("DELETE FROM games")
end

local function begun()
  no_games()
  local game = call("new-game", {}, { as = "ann" }).game_id
  call("join-game", { game_id = game }, { as = "bob" })
  return game
end

test("three in a row win", function()
  local game = begun()
  for turn, position in ipairs({ 0, 3, 1, 4 }) do
    expect(move(turn % 2 == 1 and "ann" or "bob", game, position).status).equals("playing")
  end
  expect(move("ann", game, 2).status).equals("won")
  expect(rows("games")[1].winner).equals("ann")
  expect(move("bob", game, 5)).equals({ error = "this game is over" })
end)

test("players move in turn, on free cells, and nobody else does", function()
  local game = begun()
  expect(move("bob", game, 0)).equals({ error = "not your turn" })
  expect(move("eve", game, 0)).equals({ error = "you watch this game, others play it" })
  move("ann", game, 0)
  expect(move("bob", game, 0)).equals({ error = "cell occupied" })
  expect(function() move("bob", game, 9) end).fails("the position from 0 to 8")
end)

test("a game is forgotten a day after its last move", function()
  no_games()
  clock.set("2026-05-01 12:00:00")
  call("new-game", {}, { as = "ann" })
  clock.advance(25 * 60 * 60)
  call("new-game", {}, { as = "bob" })
  expect(#rows("games")).equals(1)
end)
