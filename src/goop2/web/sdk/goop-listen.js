// Goop.listen: hear what the host of this site plays, in step with everybody. A page plays the file itself; small differences are made up
// by playing a little faster or slower, which nobody hears, large ones by a jump. The session of another peer's site comes as sound that is
// under way (role "listener"): there is nothing to jump in, so a jump asks for it anew.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const listeners = new Set();
  const STEP_MS = 500; // how often a player looks at where it should be
  const JUMP_SECONDS = 1; // beyond it a player jumps
  const CLOSE_SECONDS = 0.03; // below it a player is in step
  const RATE = 0.06; // the most a player is faster or slower
  // A browser wants a second of sound before it begins, so that sound under way begins late and catches up; what it lacks is there already.
  const LATE_SECONDS = 4; // beyond it the sound is asked for anew
  const NEAR_SECONDS = 0.3; // beyond it a player catches up
  const CATCH_UP = 1.5;
  const AGAIN_MS = 3000; // before sound that is under way is asked for once more
  const waiting = new Set(); // who waits to be in the session: {resolve, reject}
  let source;
  let group = null; // the session as it was told last
  let heardAt = 0; // when, on this page's own clock

  function take(next) {
    const before = position();
    group = next;
    heardAt = performance.now();
    if (Math.abs(position() - before) > JUMP_SECONDS) for (const player of players.values()) Object.assign(player, { notBefore: 0, late: LATE_SECONDS });
    if (next && next.role) settle((each) => each.resolve(next));
    for (const listener of [...listeners]) {
      try {
        listener(next);
      } catch (error) {
        console.error(error); // one listener's mistake is not the others'
      }
    }
  }

  function settle(how) {
    for (const each of waiting) how(each);
    waiting.clear();
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

  // Who plays is a listener for as long as these events are read; who only looks is not.
  function listen() {
    const wanted = `/api/listen/events${players.size ? "?join=1" : ""}`;
    if (source && source.url.endsWith(wanted)) return;
    if (source) source.close();
    source = new EventSource(wanted); // comes back by itself
    for (const kind of ["listen", "gap", "open"]) source.addEventListener(kind, () => renew().catch(console.error));
    source.addEventListener("refused", (event) => {
      const why = new Goop.Error(JSON.parse(event.data).message, { code: "unavailable", status: 503 });
      settle((each) => each.reject(why));
    });
  }

  function silence() {
    if (listeners.size || players.size) {
      listen();
    } else if (source) {
      source.close();
      source = undefined;
    }
  }

  const position = () => {
    const state = group && group.track && group.play_state;
    if (!state) return 0;
    const passed = state.playing ? (performance.now() - heardAt) / 1000 : 0;
    return Math.min(length(), state.position + passed);
  };
  const length = () => group.track.duration || Infinity; // a radio's has no end

  const players = new Map(); // audio element → {address, timer}; of sound under way also {began, notBefore, late}

  function align(audio, player) {
    if (!group || !group.track) {
      audio.pause();
    } else if (group.role === "listener") {
      alignStream(audio, player);
    } else {
      alignFile(audio, player);
    }
  }

  function alignFile(audio, player) {
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
      audio.playbackRate = rate(off);
    }
  }

  const rate = (off) => (Math.abs(off) < CLOSE_SECONDS ? 1 : 1 + Math.max(-RATE, Math.min(RATE, off / 2)));

  function alignStream(audio, player) {
    const there = position();
    if (!group.play_state.playing || there >= length()) {
      hush(audio, player);
    } else if (!player.address || audio.error || audio.ended) {
      tune(audio, player);
    } else {
      if (audio.paused) audio.play().catch(() => {});
      if (player.began === undefined) return;
      const off = there - player.began - audio.currentTime;
      if (Math.abs(off) < NEAR_SECONDS) player.late = LATE_SECONDS;
      if (off > player.late || off < -JUMP_SECONDS) {
        player.late *= 2; // a host whose sound is that slow is heard late rather than never
        tune(audio, player);
      } else audio.playbackRate = off > NEAR_SECONDS ? CATCH_UP : rate(off);
    }
  }

  // Asks for the sound from where the host is now, and at which second of the track it begins.
  function tune(audio, player) {
    if (performance.now() < player.notBefore) return;
    player.notBefore = performance.now() + AGAIN_MS;
    const key = String(Math.random()).slice(2);
    player.address = audio.src = `/api/listen/audio?key=${key}`;
    player.began = undefined;
    audio.playbackRate = 1;
    audio.play().catch(() => {});
    const begun = () =>
      Goop.request(`listen/began?key=${key}`).then(
        (told) => {
          // Some formats say themselves where they are: a player's time begins there and not at 0.
          if (audio.src.endsWith(key)) player.began = told.position - (audio.buffered.length ? audio.buffered.start(0) : 0);
        },
        () => {}, // it is over already, and asked for anew
      );
    audio.addEventListener("loadeddata", begun, { once: true });
  }

  function hush(audio, player) {
    if (!player.address) return;
    player.address = "";
    audio.pause();
    audio.removeAttribute("src");
    audio.load();
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
    /** Plays in the audio element `audio`, in step with everybody; resolves once this page is in the session. Call it from a click:
     * browsers want one before sound. */
    join(audio) {
      if (!players.has(audio)) {
        const player = { address: "", timer: 0, notBefore: 0, late: LATE_SECONDS };
        player.timer = setInterval(() => align(audio, player), STEP_MS);
        players.set(audio, player);
        listen();
        renew().then(() => align(audio, player), console.error);
      }
      if (group && group.role) return Promise.resolve(group);
      return new Promise((resolve, reject) => waiting.add({ resolve, reject }));
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
