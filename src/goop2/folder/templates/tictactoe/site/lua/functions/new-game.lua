--- Opens a game of tic-tac-toe for somebody to join: gives { game_id }
--- @rate_limit 20

local OPEN_GAMES_MAX = 50

function call()
  return goop.db.transaction(function()
    -- Nobody comes back to a game after a day.
    goop.db.exec("DELETE FROM games WHERE _updated_at < datetime('now', '-1 day')")

    local mine = goop.db.scalar("SELECT _id FROM games WHERE status = 'open' AND x = ?", goop.peer.id)
    if mine then
      return { game_id = mine }
    end
    if goop.db.scalar("SELECT count(*) FROM games WHERE status = 'open'") >= OPEN_GAMES_MAX then
      return { error = "enough games wait for somebody: join one of them" }
    end

    local id, err = goop.schema.insert("games", {
      board = "---------",
      status = "open",
      x = goop.peer.id,
      x_label = goop.peer.label,
    })
    if not id then
      error(err)
    end
    return { game_id = id }
  end)
end
