--- Scores the quiz: { answers: ["A", "C", ""] } gives { score, total, feedback: [{ right, note }] }
--- @rate_limit 20

-- The right answers, in the order of site/questions.json. Visitors never see this file; what a note says they do,
-- so a hint for a wrong answer must not give the right one away.
local KEY = {
  { answer = "D", right = "Each fold doubles the layers: two to the tenth.", hint = "Every fold does more than add a few." },
  { answer = "A", right = "Venus comes nearer, but is away for longer.", hint = "Think of who is never far away, not of who comes closest." },
  { answer = "C", right = "One for the body, and one for each gill.", hint = "Count the gills too." },
  { answer = "B", right = "It is Portuguese, from Rio de Janeiro.", hint = "It is a word for something you can see, in Portuguese." },
  { answer = "A", right = "The two lines cross there, and only there.", hint = "Solve c = 9/5 c + 32." },
}

function call(request)
  local answers = request.params.answers
  if type(answers) ~= "table" then
    error("answers must be a list, one letter for each question")
  end

  local score, feedback = 0, {}
  for place, key in ipairs(KEY) do
    local right = answers[place] == key.answer
    if right then
      score = score + 1
    end
    feedback[place] = { right = right, note = right and key.right or key.hint }
  end
  return { score = score, total = #KEY, feedback = feedback }
end
