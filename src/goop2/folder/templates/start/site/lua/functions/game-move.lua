--- Makes a move in tic-tac-toe: { game_id, position } gives { board, turn }
function call(request)
  local game_id = request.params.game_id
  local position = tonumber(request.params.position)

  local rows = goop.db.query("SELECT * FROM games WHERE _id = ?", game_id)
  if not rows or #rows == 0 then
    error("game not found")
  end

  local game = rows[1]
  if game.turn ~= goop.peer.id then
    return { error = "not your turn" }
  end

  local idx = position + 1
  if string.sub(game.board, idx, idx) ~= "-" then
    return { error = "cell occupied" }
  end

  local new_board = string.sub(game.board, 1, idx - 1)
    .. "X"
    .. string.sub(game.board, idx + 1)
  goop.db.exec("UPDATE games SET board = ?, turn = ? WHERE _id = ?",
    new_board, "O", game_id)
  return { board = new_board, turn = "O" }
end
