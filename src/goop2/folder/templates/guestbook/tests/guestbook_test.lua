--- Tests of the guestbook: goop2 lua test

-- A test has a copy of what your scripts keep.
local function nobody_came()
  keep("visit", "count", 0)
  keep("visit", "last", {})
end

test("a visitor counts once in half an hour", function()
  nobody_came()
  clock.set("2026-05-01 12:00:00")
  expect(call("visit", {}, { as = "ann" }).count).equals(1)
  clock.advance(60)
  expect(call("visit", {}, { as = "ann" }).count).equals(1)
  expect(call("visit", {}, { as = "bob" }).count).equals(2)
  clock.advance(30 * 60)
  expect(call("visit", {}, { as = "ann" }).count).equals(3)
end)

test("it says when others came, and not who", function()
  nobody_came()
  clock.set("2026-05-01 12:00:00")
  call("visit", {}, { as = "ann" })
  clock.advance(10)
  local visit = call("visit", {}, { as = "bob" })
  expect(visit.last).equals({ 0, 10 })
  expect(visit.owner).equals(false)
end)
