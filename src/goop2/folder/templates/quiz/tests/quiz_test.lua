--- Tests of the scores: goop2 lua test

test("each right answer is a point", function()
  local result = call("score-quiz", { answers = { "D", "A", "A", "B" } })
  expect(result.score).equals(3)
  expect(result.total).equals(5)
  expect(result.feedback[3].right).equals(false)
end)

test("a hint does not give the answer away", function()
  for _, one in ipairs(call("score-quiz", { answers = {} }).feedback) do
    expect(one.note == "" or one.right).equals(false)
  end
end)

test("what is no list is refused", function()
  expect(function() call("score-quiz", { answers = "D" }) end).fails("answers must be a list")
end)
