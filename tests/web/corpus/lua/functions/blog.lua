--- Posts of the owner and of co-authors
local posts = goop.orm("posts")
local function may_write()
  local role = goop.group.member.role()
  return role == "owner" or role == "coauthor"
end
local function list(p) return { posts = posts:find({ order = "_id DESC", limit = p.limit or 20 }), author = may_write() } end
local function get(p)
  local post = posts:get_by("slug", p.slug)
  if not post then error("post not found") end
  return post
end
local function save(p)
  if not may_write() then error("only authors can write") end
  if p.id then return posts:update(p.id, { title = p.title, body = p.body }) end
  local id, err = posts:insert({ title = p.title, slug = p.slug, body = p.body })
  if not id then error(err) end
  return id
end
local function remove(p)
  if not may_write() then error("only authors can remove") end
  return posts:delete(p.id)
end
call = goop.route({ list = list, get = get, save = save, remove = remove })
