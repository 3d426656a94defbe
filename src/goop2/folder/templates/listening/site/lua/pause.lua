--- Pauses for everybody
function handle()
  return goop.listen.pause() or "Paused"
end
