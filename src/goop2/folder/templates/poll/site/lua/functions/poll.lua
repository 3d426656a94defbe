--- Polls: everybody may list and answer them, one answer a peer; the owner asks, closes and removes
--- @rate_limit 60

-- A browser without a peer is told from others by a cookie alone. Set this, and only peers may answer.
local PEERS_ONLY = false

local POLLS_MAX = 20
local CHOICES_MAX = 10
local TEXT_MAX = 200
-- Whoever throws cookies away could fill the table: enough for a town.
local ANSWERS_MAX = 10000

local polls = goop.orm("polls")
local answers = goop.orm("poll_answers")

local function is_owner()
  return goop.peer.id == goop.self.id
end

local function must(result, err)
  if not result then error(err) end
  return result
end

-- The key of the table of answers: the database itself has room for one answer a peer.
local function ballot(poll)
  return poll .. ":" .. goop.peer.id
end

local function lines(text)
  local found = {}
  for line in (text .. "\n"):gmatch("%s*(.-)%s*\n") do
    if line ~= "" then found[#found + 1] = line end
  end
  return found
end

local function text_of(value, what)
  local text = type(value) == "string" and value:match("^%s*(.-)%s*$") or ""
  if text == "" then error(what .. " is missing") end
  if #text > TEXT_MAX then error(what .. " is longer than " .. TEXT_MAX .. " letters") end
  return text
end

-- What the caller may see of a poll: the counts, once they cannot sway the caller's answer any more.
local function seen(poll, counts)
  local mine = answers:get_by("ballot", ballot(poll._id))
  local choices, total = lines(poll.choices), 0
  local given = {}
  for place in ipairs(choices) do
    given[place] = counts[poll._id .. ":" .. place] or 0
    total = total + given[place]
  end
  local is_shown = mine ~= nil or poll.closed == 1 or is_owner()
  return {
    id = poll._id,
    question = poll.question,
    choices = choices,
    closed = poll.closed == 1,
    mine = mine and mine.choice or nil,
    total = total,
    counts = is_shown and given or nil,
  }
end

local function list()
  local counts = {}
  for _, row in ipairs(answers:aggregate("poll, choice, COUNT(*) AS n", { group_by = "poll, choice" })) do
    counts[row.poll .. ":" .. row.choice] = row.n
  end
  local shown = {}
  for place, poll in ipairs(polls:find({ order = "closed, _id DESC", limit = POLLS_MAX })) do
    shown[place] = seen(poll, counts)
  end
  local can_answer = not PEERS_ONLY or not goop.peer.id:match("^visitor%-")
  return { polls = goop.json.array(shown), owner = is_owner(), can_answer = can_answer }
end

local function answer(params)
  local poll = must(polls:get(params.id))
  local choice = tonumber(params.choice)
  if poll.closed == 1 then error("this poll is closed") end
  if PEERS_ONLY and goop.peer.id:match("^visitor%-") then error("only peers may answer: open this site from a peer of yours") end
  if not choice or choice % 1 ~= 0 or choice < 1 or choice > #lines(poll.choices) then error("choose one of the answers") end
  local is_new = not answers:get_by("ballot", ballot(poll._id))
  if is_new and answers:count({ where = "poll = ?", args = { poll._id } }) >= ANSWERS_MAX then error("this poll has as many answers as it takes") end
  return must(answers:upsert("ballot", { ballot = ballot(poll._id), poll = poll._id, choice = choice }))
end

local function ask(params)
  local question = text_of(params.question, "the question")
  local choices = lines(type(params.choices) == "string" and params.choices or "")
  if #choices < 2 or #choices > CHOICES_MAX then error("give two to " .. CHOICES_MAX .. " answers, each on a line of its own") end
  for place, choice in ipairs(choices) do choices[place] = text_of(choice, "an answer") end
  if polls:count() >= POLLS_MAX then error("there are " .. POLLS_MAX .. " polls: remove an old one first") end
  return must(polls:insert({ question = question, choices = table.concat(choices, "\n"), closed = 0 }))
end

local function close(params)
  must(polls:get(params.id))
  return must(polls:update(params.id, { closed = params.closed and 1 or 0 }))
end

local function remove(params)
  return goop.db.transaction(function()
    answers:delete_where({ where = "poll = ?", args = { tonumber(params.id) } })
    return must(polls:delete(params.id))
  end)
end

call = goop.route({
  list = list,
  answer = answer,
  ask = goop.owner(ask),
  close = goop.owner(close),
  remove = goop.owner(remove),
})
