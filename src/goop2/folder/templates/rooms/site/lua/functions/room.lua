--- What is said in a room, { id }, and who is there: gives { members, messages }
--- @rate_limit 0

-- Pages of visitors without a peer ask this every few seconds, so it is exempt from the limit; it reads one row, and writes none. It knows
-- the rooms of the table alone: this peer may be in others, which are nobody's business here.
function call(request)
  local room = goop.orm("rooms"):get_by("_id", tonumber(request.params.id) or 0)
  if not room then error({ code = "closed", message = "that room is closed" }) end
  local state = room.live ~= "" and goop.chat.state(room.live) or nil
  if not state then return { members = goop.json.array({}), messages = goop.json.array({}) } end
  return { members = goop.json.array(state.members), messages = goop.json.array(state.messages) }
end
