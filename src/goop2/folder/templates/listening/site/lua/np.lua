--- What plays now, and how far it is
function handle()
  local state = goop.listen.state()
  if not state or not state.track then return "Nothing plays" end
  local at = state.play_state.position
  local word = state.play_state.playing and "playing" or "paused"
  return string.format("%s, %s at %d:%02d, %d listening", state.track.name, word, math.floor(at / 60), math.floor(at % 60), state.listeners)
end
