--- Opens a game of tic-tac-toe for game-move: gives { game_id }
--- @rate_limit 20

function call()
  local id, err = goop.schema.insert("games", { board = "---------", turn = goop.peer.id })
  if not id then
    error(err)
  end
  return { game_id = id }
end
