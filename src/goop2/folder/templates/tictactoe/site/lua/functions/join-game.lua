--- Takes the free side of a game of tic-tac-toe: { game_id } gives { game_id }; x begins
--- @rate_limit 30

function call(request)
  local game_id = tonumber(request.params.game_id)
  if not game_id then
    error("game_id must be a number")
  end

  -- One transaction: of two who join at once, one comes second.
  return goop.db.transaction(function()
    local game = goop.schema.get("games", game_id)
    if not game then
      return { error = "game not found" }
    end
    if game.x == goop.peer.id then
      return { error = "this game is yours: somebody else joins it" }
    end
    if game.status ~= "open" then
      return { error = "somebody was faster: this game has two players" }
    end

    goop.schema.update("games", game_id, {
      status = "playing",
      o = goop.peer.id,
      o_label = goop.peer.label,
      turn = game.x,
    })
    return { game_id = game_id }
  end)
end
