--- Tests of the photos: goop2 lua test

local OWNER = { owner = true }
local PHOTO = { path = "images/sea.jpg", caption = " The sea ", width = 1600, height = 1200 }

local function ask(action, params, who)
  local asked = { action = action }
  for key, value in pairs(params or {}) do asked[key] = value end
  return call("photos", asked, who)
end

-- A test has a copy of your database, with the photos that are in it.
local function no_photos()
  goop.db.exec("DELETE FROM photos")
end

test("the owner adds, describes and removes, and everybody sees", function()
  no_photos()
  local id = ask("add", PHOTO, OWNER)
  local seen = ask("list", {}, { as = "ann" })
  expect(seen.owner).equals(false)
  expect(seen.photos[1].caption).equals("The sea")
  ask("describe", { id = id, caption = "Low tide" }, OWNER)
  expect(rows("photos")[1].caption).equals("Low tide")
  ask("remove", { id = id }, OWNER)
  expect(#rows("photos")).equals(0)
end)

test("a visitor changes nothing", function()
  no_photos()
  local id = ask("add", PHOTO, OWNER)
  for _, action in ipairs({ "add", "describe", "remove" }) do
    expect(function() ask(action, { id = id, path = "images/x.jpg", width = 1, height = 1 }, { as = "ann" }) end).fails("only the site owner can do this")
  end
end)

test("only a file of the folder of pictures is a photo, and only once", function()
  no_photos()
  for _, path in ipairs({ "index.html", "images/../index.jpg", "https://example.org/a.jpg", "images/a.svg" }) do
    expect(function() ask("add", { path = path, width = 1, height = 1 }, OWNER) end).fails("images/NAME.jpg")
  end
  ask("add", PHOTO, OWNER)
  expect(function() ask("add", PHOTO, OWNER) end).fails("photos")
  expect(#rows("photos")).equals(1)
end)
