// How loud a player is, in bands from low to high, as heights of bars. It listens to a copy of the sound: what is heard, and when, stays as it is.
const STEP_MS = 100;
const still = matchMedia("(prefers-reduced-motion: reduce)");

export function showLevel(audio, bars) {
  const copy = audio.captureStream; // mozCaptureStream of older Firefox takes the sound away from the player: there the bars stay still
  if (!copy) return;
  let context, look, source;

  audio.addEventListener("playing", () => {
    context ||= new AudioContext();
    look ||= Object.assign(context.createAnalyser(), { fftSize: 64, smoothingTimeConstant: 0.6 });
    context.resume();
    if (source) source.disconnect();
    const stream = copy.call(audio);
    if (!stream.getAudioTracks().length) return;
    source = context.createMediaStreamSource(stream);
    source.connect(look);
  });

  setInterval(() => {
    const bands = new Uint8Array(look ? look.frequencyBinCount : bars.length);
    if (look && !audio.paused && !still.matches) look.getByteFrequencyData(bands);
    bars.forEach((bar, place) => bar.style.setProperty("--loud", ((bands[place + 1] || 0) / 255).toFixed(2)));
  }, STEP_MS);
}
