--- Makes a move in tic-tac-toe: { game_id, position } gives { board, turn, status }; positions are 0 to 8
--- @rate_limit 60

local LINES = {
  { 1, 2, 3 }, { 4, 5, 6 }, { 7, 8, 9 },
  { 1, 4, 7 }, { 2, 5, 8 }, { 3, 6, 9 },
  { 1, 5, 9 }, { 3, 5, 7 },
}

local function has_line(board, mark)
  for _, line in ipairs(LINES) do
    local full = true
    for _, idx in ipairs(line) do
      full = full and board:sub(idx, idx) == mark
    end
    if full then
      return true
    end
  end
  return false
end

local function refusal(game, idx)
  if not game then
    return "game not found"
  end
  if game.x ~= goop.peer.id and game.o ~= goop.peer.id then
    return "you watch this game, others play it"
  end
  if game.status == "open" then
    return "nobody has joined yet"
  end
  if game.status ~= "playing" then
    return "this game is over"
  end
  if game.turn ~= goop.peer.id then
    return "not your turn"
  end
  if game.board:sub(idx, idx) ~= "-" then
    return "cell occupied"
  end
end

local function after(game, idx)
  local mark = game.x == goop.peer.id and "X" or "O"
  local board = game.board:sub(1, idx - 1) .. mark .. game.board:sub(idx + 1)
  if has_line(board, mark) then
    return { board = board, status = "won", turn = "", winner = goop.peer.id }
  end
  if not board:find("-", 1, true) then
    return { board = board, status = "draw", turn = "" }
  end
  return { board = board, status = "playing", turn = mark == "X" and game.o or game.x }
end

function call(request)
  local game_id = tonumber(request.params.game_id)
  local position = tonumber(request.params.position)
  if not game_id or not position or position < 0 or position > 8 or position % 1 ~= 0 then
    error("a move is { game_id, position }, the position from 0 to 8")
  end

  -- One transaction: nothing happens between looking and writing, also when both players, or one twice, move at once.
  return goop.db.transaction(function()
    local game = goop.schema.get("games", game_id)
    local why = refusal(game, position + 1)
    if why then
      return { error = why }
    end
    local changes = after(game, position + 1)
    goop.schema.update("games", game_id, changes)
    return { board = changes.board, turn = changes.turn, status = changes.status }
  end)
end
