--- Tests of your scripts stand here: goop2 lua test. Take the dashes away once there is a function roll.

-- test("a die has six sides", function()
--   expect(call("roll").eyes).matches("^[1-6]$")
-- end)

test("the front page is there", function()
  expect(goop.site.read("index.html")).matches("<h1>")
end)
