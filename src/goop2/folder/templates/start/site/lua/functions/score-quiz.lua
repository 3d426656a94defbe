--- Scores a quiz: { answers: ["B", "A", "D", "C"] } gives { score, total }

-- The right answers, in the order of the questions. Visitors never see this file.
local KEY = { "B", "A", "D", "C" }

function call(request)
  local answers = request.params.answers
  if type(answers) ~= "table" then
    error("answers must be a list, one answer for each question")
  end

  local score = 0
  for question, answer in ipairs(answers) do
    if answer == KEY[question] then
      score = score + 1
    end
  end
  return { score = score, total = #answers }
end
