--- The first cards
function call(request)
  if goop.peer.id ~= goop.self.id then error("only the site owner can do this") end
  return goop.orm("cards"):seed({
    { title = "One", lane = "todo", position = 0 }, { title = "Two", lane = "todo", position = 1 }, { title = "Three", lane = "done", position = 0 } })
end
