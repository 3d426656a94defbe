--- Counts a visit to the guestbook: gives { count, last, me, owner }
--- @rate_limit 60

-- kv is this script's own small memory. It is kept in a transaction, so that of two visits at once neither is lost.
local LAST_MAX = 5
local SAME_VISIT_SECONDS = 30 * 60

local function is_the_same_visit(last, now)
  for _, visit in ipairs(last) do
    if visit.id == goop.peer.id and now - visit.at < SAME_VISIT_SECONDS then
      return true
    end
  end
  return false
end

local function counted()
  local now = os.time()
  local count, last = goop.kv.get("count") or 0, goop.kv.get("last") or {}
  if not is_the_same_visit(last, now) then
    count = count + 1
    table.insert(last, 1, { id = goop.peer.id, at = now })
    last[LAST_MAX + 1] = nil
    goop.kv.set("count", count)
    goop.kv.set("last", last)
  end
  return count, last, now
end

function call()
  local count, last, now = goop.db.transaction(counted)
  -- When others came, not who they are.
  local ago = {}
  for place, visit in ipairs(last) do
    ago[place] = now - visit.at
  end
  return { count = count, last = ago, me = goop.peer.id, owner = goop.peer.id == goop.self.id }
end
