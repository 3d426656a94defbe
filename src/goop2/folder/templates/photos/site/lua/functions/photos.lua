--- The photos: everybody may list them; the owner adds, describes and removes
--- @rate_limit 60

local PHOTOS_MAX = 500
local CAPTION_MAX = 300
local SIDE_MAX = 20000 -- pixels

local photos = goop.orm("photos")

local function must(result, err)
  if not result then error(err) end
  return result
end

local function caption_of(params)
  local caption = type(params.caption) == "string" and params.caption:match("^%s*(.-)%s*$") or ""
  if #caption > CAPTION_MAX then error("that is longer than " .. CAPTION_MAX .. " letters") end
  return caption
end

local function side(value)
  local pixels = tonumber(value)
  if not pixels or pixels % 1 ~= 0 or pixels < 1 or pixels > SIDE_MAX then error("width and height are pixels, 1 to " .. SIDE_MAX) end
  return pixels
end

local function list()
  return { photos = goop.json.array(photos:find({ order = "_id DESC", limit = PHOTOS_MAX })), owner = goop.peer.id == goop.self.id }
end

-- The file is there already: Goop.site.upload has put it into images/.
local function add(params)
  local path = params.path
  if type(path) ~= "string" or not path:match("^images/[%w_-]+%.jpg$") then error("a photo is a file images/NAME.jpg") end
  if photos:count() >= PHOTOS_MAX then error("there are " .. PHOTOS_MAX .. " photos: remove some first") end
  return must(photos:insert({ path = path, caption = caption_of(params), width = side(params.width), height = side(params.height) }))
end

local function describe(params)
  must(photos:get(params.id))
  return must(photos:update(params.id, { caption = caption_of(params) }))
end

local function remove(params)
  return must(photos:delete(params.id))
end

call = goop.route({ list = list, add = goop.owner(add), describe = goop.owner(describe), remove = goop.owner(remove) })
