--- Plays a file for everybody, or goes on: !play music/song.mp3
function handle(args)
  if not goop.listen.state() then
    local group, err = goop.listen.create("Listening together")
    if not group then return err end
  end
  if args ~= "" then
    local track, err = goop.listen.load(args)
    if not track then return err end
  end
  local err = goop.listen.play()
  if err then return err end
  return "Playing " .. goop.listen.state().track.name
end
