--- Tests of the scripts: goop2 lua test

test("hello greets by name", function()
  expect(chat("!hello Alice")).equals("Hello, Alice!")
end)

test("the quiz counts right answers", function()
  local result = call("score-quiz", { answers = { "B", "C", "D", "C" } })
  expect(result).equals({ score = 3, total = 4 })
end)

test("a quiz without answers is refused", function()
  expect(function() call("score-quiz") end).fails("answers must be a list")
end)

test("a game is opened, and its players move in turn", function()
  local game = call("game-new", {}, { as = "ann" })
  expect(call("game-move", { game_id = game.game_id, position = 4 }, { as = "ann" })).equals({ board = "----X----", turn = "O" })
  expect(call("game-move", { game_id = game.game_id, position = 0 }, { as = "ann" })).equals({ error = "not your turn" })
  local games = rows("games")
  expect(games[#games].board).equals("----X----")
end)

test("the weather needs a key of yours", function()
  expect(chat("!weather Utrecht")).equals("Weather API key not configured.")
end)
