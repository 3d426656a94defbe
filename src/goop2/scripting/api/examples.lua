-- One example for every function of the goop table, below a line that names the function. docs/goop-table.md shows them, and
-- tests/docs/test_examples.py runs them in a peer: `-->` at the end of a line is what the line gives, as JSON.

-- goop.json.encode
local text = goop.json.encode({ 1, 2, 3 }) --> "[1,2,3]"

-- goop.json.decode
local value = goop.json.decode('{"title": "Hello", "likes": 3}')
return value.likes --> 3

-- goop.json.object
return goop.json.encode(goop.json.object({})) --> "{}"

-- goop.json.array
return goop.json.encode({ tags = goop.json.array({}) }) --> "{\"tags\":[]}"

-- goop.log.info
goop.log.info("order", { pieces = 2 })

-- goop.log.warn
goop.log.warn("the list is nearly full")

-- goop.log.error
goop.log.error("the service gave no answer")

-- goop.http.get
local body, err, about = goop.http.get("https://api.example.com/weather?city=Utrecht", { full = true })
if err then return { error = err } end
local status = about.status --> 200
return goop.json.decode(body).text --> "sunny"

-- goop.http.post
local body, err = goop.http.post("https://api.example.com/scores", { player = "Ann", points = 100 })
return err --> null

-- goop.kv.get
goop.kv.set("visits", 41)
local visits = goop.kv.get("visits") --> 41

-- goop.kv.set
local err = goop.kv.set("last", { title = "Hello", likes = 3 })
return err --> null

-- goop.kv.del
goop.kv.set("draft", "not yet")
goop.kv.del("draft")
return goop.kv.get("draft") --> null

-- goop.db.query
local rows = goop.db.query("SELECT title FROM posts WHERE likes > ? ORDER BY title", 4) --> [{"title": "Second"}]

-- goop.db.scalar
local count = goop.db.scalar("SELECT COUNT(*) FROM posts") --> 2

-- goop.db.exec
local changed = goop.db.exec("UPDATE posts SET likes = likes + 1 WHERE _id = ?", 1) --> 1

-- goop.db.transaction
local likes = goop.db.transaction(function()
  goop.db.exec("UPDATE posts SET likes = likes - 1 WHERE _id = 2")
  goop.db.exec("UPDATE posts SET likes = likes + 1 WHERE _id = 1")
  return goop.db.scalar("SELECT likes FROM posts WHERE _id = 1")
end)
return likes --> 4

-- goop.schema.create
local made, err = goop.schema.create("scores", {
  { name = "player", type = "text", required = true },
  { name = "points", type = "integer" },
}, { access = { read = "open", insert = "local" } })
return made --> true

-- goop.schema.insert
local id = goop.schema.insert("posts", { title = "Third", likes = 0 }) --> 3

-- goop.schema.get
local row = goop.schema.get("posts", 1)
return row.title --> "Hello"

-- goop.schema.list
local rows = goop.schema.list("posts", 10)
return #rows --> 2

-- goop.schema.update
local changed = goop.schema.update("posts", 1, { likes = 10 }) --> true

-- goop.schema.delete
local removed = goop.schema.delete("posts", 2) --> true

-- goop.schema.validate
local fits, err = goop.schema.validate("posts", { likes = 1 }) --> false

-- goop.schema.describe
local table_of_posts = goop.schema.describe("posts")
return table_of_posts.columns[1].name --> "title"

-- goop.schema.is_orm
local typed = goop.schema.is_orm("posts") --> true

-- goop.schema.find
local rows = goop.schema.find("posts", { where = "likes >= ?", args = { 3 }, order = "likes DESC", fields = { "title" } })
return rows --> [{"title": "Second"}, {"title": "Hello"}]

-- goop.schema.find_one
local row = goop.schema.find_one("posts", { where = "title = ?", args = { "Hello" } })
return row._id --> 1

-- goop.schema.count
local count = goop.schema.count("posts", { where = "likes > ?", args = { 3 } }) --> 1

-- goop.schema.seed
local added = goop.schema.seed("posts", { { title = "Only in an empty table" } }) --> 0

-- goop.site.read
local page = goop.site.read("index.html")
return page:match("<title>(.-)</title>") --> "Front"

-- goop.transform.load
local definition = goop.transform.load("people")
return definition.fields[1].target --> "name"

-- goop.transform.list
local definitions = goop.transform.list() --> [{"name": "people", "description": "Names of people", "field_count": 1}]

-- goop.transform.apply
local row = goop.transform.apply("people", { first = "Ann", last = "Bee" }) --> {"name": "Ann Bee"}

-- goop.transform.apply_many
local rows = goop.transform.apply_many("people", { { first = "Ann", last = "Bee" }, { first = "Cy", last = "Dee" } })
return rows[2].name --> "Cy Dee"

-- goop.transform.transforms
local names = goop.transform.transforms()
return names[1] --> "coalesce"

-- goop.listen.create
local session, err = goop.listen.create("Tonight")
return session.name --> "Tonight"

-- goop.listen.state
goop.listen.create("Tonight")
return goop.listen.state().role --> "host"

-- goop.listen.load
goop.listen.create("Tonight")
local track, err = goop.listen.load("music/song.wav")
return track.name --> "song"

-- goop.listen.play
goop.listen.create("Tonight")
goop.listen.load("music/song.wav")
return goop.listen.play() --> null

-- goop.listen.pause
goop.listen.create("Tonight")
goop.listen.load("music/song.wav")
goop.listen.play()
return goop.listen.pause() --> null

-- goop.listen.seek
goop.listen.create("Tonight")
goop.listen.load("music/song.wav")
return goop.listen.seek(0.5) --> null

-- goop.listen.close
goop.listen.create("Tonight")
goop.listen.close()
return goop.listen.state() --> null

-- goop.group.is_member
if not goop.group.is_member() then error("members only") end

-- goop.group.owner
return goop.group.owner() == goop.self.id --> true

-- goop.group.create
local id = goop.group.create("Chess", "template", "", 2)
goop.group.close(id)

-- goop.group.close
local id = goop.group.create("For a moment", "template")
return goop.group.close(id) --> true

-- goop.group.add
local id = goop.group.create("Friends", "template")
local invited, err = pcall(goop.group.add, id, "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp") --> false
goop.group.close(id)

-- goop.group.remove
local id = goop.group.create("Friends", "template")
local removed, err = pcall(goop.group.remove, id, "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp") --> false
goop.group.close(id)

-- goop.group.set_role
local id = goop.group.create("Authors", "template")
local given, err = pcall(goop.group.set_role, id, "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp", "author") --> false
goop.group.close(id)

-- goop.group.send
local id = goop.group.create("News", "template")
local sent = goop.group.send(id, { headline = "A new post" }) --> true
goop.group.close(id)

-- goop.group.members
local id = goop.group.create("Friends", "template")
local count = #goop.group.members(id) --> 1
goop.group.close(id)

-- goop.group.list
local id = goop.group.create("Friends", "template")
local name = goop.group.list()[1].name --> "Friends"
goop.group.close(id)

-- goop.group.grouptypes
local types = goop.group.grouptypes()

-- goop.group.member.role
return goop.group.member.role() --> "owner"

-- goop.chat.create
local room, err = goop.chat.create("Lounge", "For everybody")
goop.chat.close(room.id)
return room.name --> "Lounge"

-- goop.chat.close
local room = goop.chat.create("Lounge")
return goop.chat.close(room.id) --> null

-- goop.chat.send
local room = goop.chat.create("Lounge")
local err = goop.chat.send(room.id, "Hello") --> null
goop.chat.close(room.id)

-- goop.chat.state
local room = goop.chat.create("Lounge")
goop.chat.send(room.id, "Hello")
local count = #goop.chat.state(room.id).messages --> 1
goop.chat.close(room.id)

-- goop.chat.rooms
local room = goop.chat.create("Lounge")
local name = goop.chat.rooms()[1].name --> "Lounge"
goop.chat.close(room.id)

-- goop.commands
local names, descriptions = goop.commands()
return descriptions.hello --> "Says hello"

-- goop.use
-- lib/words.lua holds: return { shout = function(text) return text:upper() .. "!" end }
local words = goop.use("words")
return words.shout("hello") --> "HELLO!"

-- goop.route
local call = goop.route({
  list = function() return goop.schema.list("posts", 10) end,
  like = function(params) return goop.db.exec("UPDATE posts SET likes = likes + 1 WHERE _id = ?", params.id) end,
})
return call({ params = { action = "like", id = 1 } }) --> 1

-- goop.owner
local remove = goop.owner(function(params) return goop.schema.delete("posts", params.id) end)
return remove({ id = 2 }) --> true

-- goop.orm
local posts = goop.orm("posts")
return posts:count() --> 2

-- orm:find
local rows = goop.orm("posts"):find({ where = "likes > ?", args = { 4 }, fields = { "title", "likes" } })
return rows --> [{"title": "Second", "likes": 5}]

-- orm:find_one
local row = goop.orm("posts"):find_one({ order = "likes DESC" })
return row.title --> "Second"

-- orm:get
return goop.orm("posts"):get(1).title --> "Hello"

-- orm:get_by
return goop.orm("posts"):get_by("title", "Second").likes --> 5

-- orm:list
return #goop.orm("posts"):list() --> 2

-- orm:count
local count = goop.orm("posts"):count({ where = "likes > ?", args = { 4 } }) --> 1

-- orm:exists
local there = goop.orm("posts"):exists({ where = "title = ?", args = { "Hello" } }) --> true

-- orm:pluck
local titles = goop.orm("posts"):pluck("title", { order = "_id" }) --> ["Hello", "Second"]

-- orm:distinct
local likes = goop.orm("posts"):distinct("likes") --> [3, 5]

-- orm:aggregate
local rows = goop.orm("posts"):aggregate("SUM(likes) AS total") --> [{"total": 8}]

-- orm:insert
local id, err = goop.orm("posts"):insert({ title = "Third" }) --> 3

-- orm:update
local changed, err = goop.orm("posts"):update(1, { title = "Hello again" }) --> true

-- orm:delete
local removed, err = goop.orm("posts"):delete(1) --> true

-- orm:update_where
local changed = goop.orm("posts"):update_where({ likes = goop.expr("likes + 1") }, { where = "likes < ?", args = { 5 } }) --> 1

-- orm:delete_where
local removed = goop.orm("posts"):delete_where({ where = "likes < ?", args = { 5 } }) --> 1

-- orm:upsert
local id = goop.orm("posts"):upsert("title", { title = "Hello", likes = 7 }) --> 1

-- orm:seed
local added = goop.orm("posts"):seed({ { title = "Only in an empty table" } }) --> 0

-- orm:validate
local fits, err = goop.orm("posts"):validate({ title = "Third" }) --> true

-- goop.expr
goop.orm("posts"):update_where({ likes = goop.expr("likes * 2") }, { where = "_id = ?", args = { 1 } })
return goop.orm("posts"):get(1).likes --> 6

-- goop.config
local config = goop.config("options", { title = "My site" })
return config.title --> "My site"

-- config:set
local config = goop.config("options")
config:set("title", "The club")
return goop.config("options").title --> "The club"

-- config:save
-- The table `looks` has one row with the columns colour and size.
local config = goop.config("looks")
config:save({ colour = "green", size = 3 })
return goop.config("looks").colour --> "green"
