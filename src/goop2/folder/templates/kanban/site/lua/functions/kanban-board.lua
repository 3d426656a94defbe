--- The board as the caller sees it: gives { cards, open, owner, me }
--- @rate_limit 0

-- Pages ask this every few seconds, so it is exempt from the limit; it reads two small tables and writes none.
function call()
  return {
    cards = goop.json.array(goop.orm("cards"):find({ order = "lane, position, _id", fields = { "_id", "_owner", "title", "note", "lane", "position" } })),
    open = goop.config("board", { open = "0" }).open == "1",
    owner = goop.peer.id == goop.self.id,
    me = goop.peer.id,
  }
end
