// Goop.listen: hear what the host of this site plays, in step with everybody. A page plays the file itself; small differences are made up
// by playing a little faster or slower, which nobody hears, large ones by a jump.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const listeners = new Set();
  const STEP_MS = 500; // how often a player looks at where it should be
  const JUMP_SECONDS = 1; // beyond it a player jumps
  const CLOSE_SECONDS = 0.03; // below it a player is in step
  const RATE = 0.06; // the most a player is faster or slower
  let source;
  let group = null; // the session as it was told last
  let heardAt = 0; // when, on this page's own clock

  function take(next) {
    group = next;
    heardAt = performance.now();
    for (const listener of [...listeners]) {
      try {
        listener(next);
      } catch (error) {
        console.error(error); // one listener's mistake is not the others'
      }
    }
  }

  // Where everybody is now; half the way of the answer is made up for.
  async function renew() {
    const asked = performance.now();
    const next = await Goop.request("listen/state");
    const way = (performance.now() - asked) / 2000;
    if (next && next.play_state && next.play_state.playing) next.play_state.position += way;
    take(next);
    return next;
  }

  function listen() {
    if (source) return;
    source = new EventSource("/api/listen/events"); // comes back by itself
    source.addEventListener("listen", () => renew().catch(console.error));
    source.addEventListener("gap", () => renew().catch(console.error));
    source.addEventListener("open", () => renew().catch(console.error));
  }

  function silence() {
    if (listeners.size || players.size || !source) return;
    source.close();
    source = undefined;
  }

  const position = () => {
    const state = group && group.play_state;
    if (!state) return 0;
    const passed = state.playing ? (performance.now() - heardAt) / 1000 : 0;
    return Math.min(group.track.duration, state.position + passed);
  };

  const players = new Map(); // audio element → {address, timer}

  function align(audio, player) {
    if (!group || !group.track) {
      audio.pause();
      return;
    }
    const address = `/api/listen/audio?session=${encodeURIComponent(group.id)}&track=${encodeURIComponent(group.track.name)}`;
    if (player.address !== address) {
      player.address = address;
      audio.src = address;
    }
    const there = position();
    const off = there - audio.currentTime; // above 0: we are behind
    if (!group.play_state.playing) {
      if (!audio.paused) audio.pause();
      if (Math.abs(off) > CLOSE_SECONDS && audio.readyState > 0) audio.currentTime = there;
      return;
    }
    if (there >= group.track.duration) return;
    if (audio.paused) audio.play().catch(() => {}); // a page may have to be clicked first
    if (audio.readyState === 0 || audio.seeking) return;
    if (Math.abs(off) > JUMP_SECONDS) {
      audio.currentTime = there;
      audio.playbackRate = 1;
    } else {
      audio.playbackRate = Math.abs(off) < CLOSE_SECONDS ? 1 : 1 + Math.max(-RATE, Math.min(RATE, off / 2));
    }
  }

  Goop.listen = {
    /** The session: {id, name, role, track, play_state, listeners}, or null. */
    state: renew,
    /** Where everybody is in the track, in seconds. */
    position,
    /** Calls `listener(session or null)` at every change; gives the function that ends it. */
    subscribe(listener) {
      listeners.add(listener);
      listen();
      return () => {
        listeners.delete(listener);
        silence();
      };
    },
    /** Plays in the audio element `audio`, in step with everybody. Call it from a click: browsers want one before sound. */
    join(audio) {
      if (players.has(audio)) return;
      const player = { address: "", timer: 0 };
      player.timer = setInterval(() => align(audio, player), STEP_MS);
      players.set(audio, player);
      listen();
      renew().then(() => align(audio, player), console.error);
    },
    /** Stops hearing in `audio`. */
    leave(audio) {
      const player = players.get(audio);
      if (!player) return;
      clearInterval(player.timer);
      players.delete(audio);
      audio.pause();
      audio.removeAttribute("src");
      silence();
    },
    /** The owner's: control("play"), control("load", {path}), control("seek", {seconds}), … */
    control: (action, options = {}) => Goop.request("listen/control", { action, ...options }),
  };
})();
