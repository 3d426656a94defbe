--- Tests of the REST API that api.json declares: goop2 lua test

-- A test has a copy of your database, with the posts that are in it.
local function no_posts()
  goop.db.exec("DELETE FROM posts")
end

local POST = { slug = "first", title = "First", tag = "note", text = "Words" }

test("a post of the owner is found by its slug, and listed under its tag", function()
  no_posts()
  call("api", { action = "insert", resource = "posts", data = POST }, { owner = true })
  expect(call("api", { action = "get", resource = "posts", slug = "first" }).item.title).equals("First")
  expect(#call("api", { action = "list", resource = "notes" }).items).equals(1)
  expect(#call("api", { action = "list", resource = "stories" }).items).equals(0)
end)

test("nobody but the owner writes", function()
  no_posts()
  expect(function() call("api", { action = "insert", resource = "posts", data = POST }) end).fails("forbidden")
  expect(#rows("posts")).equals(0)
end)
