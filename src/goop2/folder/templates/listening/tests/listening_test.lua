--- Tests of the commands: goop2 lua test

test("nothing plays at first", function()
  expect(chat("!np")).equals("Nothing plays")
end)

test("a file that is not there is said", function()
  expect(chat("!play music/none.mp3", { owner = true })).matches("none%.mp3")
end)
