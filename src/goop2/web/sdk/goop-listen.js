// Goop.listen: hear what the host of this site plays, in step with everybody. A page plays the file itself; differences are made up for by
// playing a little faster or slower, which nobody hears, large ones by a jump. Browsers guess where a second of an MP3 is, and are seconds off:
// a jump there asks for the sound from that second on. The session of another peer's site comes as sound that is under way (role "listener"),
// where every jump asks anew.
(function () {
  "use strict";
  const Goop = globalThis.Goop;
  const { AUDIO, FUNCTION, NAME, NUMBER, options, refuse } = Goop.kinds;
  const listeners = new Set();
  const STEP_MS = 500; // how often a player looks at where it should be
  const JUMP_SECONDS = 1; // beyond it a player jumps at once
  const CLOSE_SECONDS = 0.03; // below it a player is in step
  const RATE = 0.06; // the most a player is faster or slower
  // A browser wants a second of sound before it begins, so that sound under way begins late and catches up; what it lacks is there already.
  const LATE_SECONDS = 4; // beyond it the sound is asked for anew
  const SLOW_SECONDS = 0.5; // beyond it the rate alone would take long, and a player jumps when it has not just done so
  const NEAR_SECONDS = 0.3; // beyond it a player catches up
  const CATCH_UP = 1.5;
  const AGAIN_MS = 3000; // before sound is asked for once more
  const AHEAD_SECONDS = 0.4; // an MP3 is asked for from so much later on, and begins when everybody is there
  const AHEAD_MAX_SECONDS = 8; // over a slow line
  const STALL_SECONDS = 0.15; // so much is lost by another rate where a browser begins anew for it (WebKit)
  const STALLS_MAX = 2; // beyond it a player keeps its rate, and jumps
  const STIFF_SECONDS = 0.15; // beyond it such a player jumps
  const LAG_MAX_SECONDS = 2; // the most a browser's late beginning is made up for
  const RENEW_MS = 15000; // clocks differ: the host is asked where it is now and then
  const RETRY_MS = 1000; // when it could not be asked
  const SURE_MS = 60000; // how long the quickest answer counts for more than a later, slower one
  const GESTURES = ["pointerup", "keydown"];
  const waiting = new Set(); // who waits to be in the session: {resolve, reject}
  let source;
  let group = null; // the session as the last event described it
  let heardAt = 0; // when, on this page's own clock
  let sureAt = 0; // when the answer came by which we know where everybody is
  let way = 0; // seconds it was under way, one way
  let asked = 0; // number of the newest question
  let renewing = 0;
  let lastShown = "";
  let broken = false; // whether the events are cut off

  function take(next) {
    const before = position();
    group = next;
    heardAt = performance.now();
    const jumped = Math.abs(position() - before) > CLOSE_SECONDS * 5;
    const shown = JSON.stringify(next && { ...next, play_state: next.play_state && next.play_state.playing });
    const changed = jumped || shown !== lastShown;
    lastShown = shown;
    if (Math.abs(position() - before) > JUMP_SECONDS) for (const player of players.values()) Object.assign(player, { notBefore: 0, late: LATE_SECONDS, fresh: false });
    if (next && next.role) settle((each) => each.resolve(next));
    for (const [audio, player] of players) align(audio, player);
    for (const listener of changed ? [...listeners] : []) {
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

  // Where everybody is now; half the way of the answer is made up for. One that was long under way does not displace a quick one.
  async function renew() {
    const mine = ++asked;
    const from = performance.now();
    const next = await Goop.request("listen/state");
    const now = performance.now();
    const seconds = (now - from) / 2000;
    if (mine !== asked) return next;
    const state = next && next.track && next.play_state;
    if (state && state.playing) {
      state.position += seconds;
      const off = Math.abs(state.position - position());
      if (goesOn(next) && seconds > way && off <= seconds + way && now - sureAt < SURE_MS) {
        state.position = position();
      } else {
        way = seconds;
        sureAt = now;
      }
    }
    take(next);
    return next;
  }
  const goesOn = (next) =>
    Boolean(group && group.track && group.play_state.playing && group.id === next.id && group.track.name === next.track.name);

  // Asks until there is an answer, and again now and then while anybody wants to know.
  async function follow() {
    clearTimeout(renewing);
    const done = await renew().then(() => true, () => false);
    clearTimeout(renewing);
    for (const [audio, player] of players) if (player.role === "listener" && player.address && player.began !== undefined) learn(audio, player);
    if (source) renewing = setTimeout(follow, done ? RENEW_MS : RETRY_MS);
  }

  // Who plays is a listener for as long as these events are read; who only looks is not.
  function listen() {
    const wanted = `/api/listen/events${players.size ? "?join=1" : ""}`;
    if (source && source.url.endsWith(wanted)) return;
    if (source) source.close();
    source = new EventSource(wanted); // comes back by itself
    source.addEventListener("open", () => (broken = false));
    source.addEventListener("error", () => (broken = true));
    for (const kind of ["listen", "gap", "open"]) source.addEventListener(kind, follow);
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
      clearTimeout(renewing);
    }
  }

  const position = () => {
    const state = group && group.track && group.play_state;
    if (!state) return 0;
    const passed = state.playing ? (performance.now() - heardAt) / 1000 : 0;
    return Math.min(length(), state.position + passed);
  };
  const length = () => group.track.duration || Infinity; // a radio's has no end

  // audio element → player: {address, began, …}; `began`: the second of the track its time 0 is, `due`: when what is
  // loaded should be there, `notBefore`: when it may be asked for anew, `ahead`: seconds it gets for that, `starting`: waits for the right moment
  const players = new Map();
  const heard = (audio, player) => (player.began || 0) + audio.currentTime;

  function align(audio, player) {
    player.moves = !audio.paused && audio.currentTime > player.at;
    player.at = audio.currentTime;
    if (!group || !group.track || !group.role || player.role !== group.role) {
      hush(audio, player); // nothing there, or we are not in it yet
      player.role = group && group.role;
    } else if (group.role === "listener") {
      alignStream(audio, player);
    } else {
      alignFile(audio, player);
    }
    notify(audio, player);
  }

  function alignFile(audio, player) {
    const there = position();
    const playing = group.play_state.playing && there < length();
    const track = JSON.stringify([group.id, group.track]);
    if (player.track !== track) Object.assign(player, { track, notBefore: 0, ahead: AHEAD_SECONDS });
    if (!player.address || audio.error || player.of !== track) return place(audio, player, there, playing);
    if (!playing && !audio.paused) audio.pause();
    if (player.began === undefined || audio.readyState === 0 || audio.seeking) {
      if (performance.now() > player.due) later(player);
      return;
    }
    const off = there - heard(audio, player); // above 0: we are behind
    notice(audio, player, off);
    if (isFar(audio, player, off)) {
      if (group.track.format === "mp3") {
        if (off > 0 && player.fresh) player.ahead = Math.min(AHEAD_MAX_SECONDS, player.ahead + off); // so late it was there
        return place(audio, player, there, playing);
      }
      jump(audio, player, Math.min(there + (playing ? player.lag : 0), length()));
    } else if (!playing && group.track.format !== "mp3" && Math.abs(off) > CLOSE_SECONDS) {
      audio.currentTime = there;
    }
    if (!playing) return;
    if (Math.abs(off) < NEAR_SECONDS) player.ahead = AHEAD_SECONDS;
    if (!player.jumped || !player.stalls) turn(audio, player, off); // where a rate costs time, one correction at a time
    if (!audio.paused || audio.ended) return;
    clearTimeout(player.starting);
    const early = -off - player.lag; // an MP3 waits for its moment
    if (early < CLOSE_SECONDS || group.track.format !== "mp3") {
      player.jumped = true;
      start(audio, player);
    } else player.starting = setTimeout(() => align(audio, player), early * 1000);
  }

  // The rate first: a browser that begins anew for it does so once, for both. It moves when it is beyond where it was sent.
  function jump(audio, player, seconds) {
    if (player.stalls) audio.playbackRate = 1;
    audio.currentTime = seconds;
    const notBefore = performance.now() + AGAIN_MS;
    Object.assign(player, { due: notBefore, notBefore, jumped: true, turned: undefined, moves: false, at: audio.currentTime });
  }

  const isStiff = (player) => player.stalls >= STALLS_MAX;
  const isUnsure = (audio, player) => player.stalls > 0 && !isStiff(player) && audio.playbackRate !== 1; // the way back to 1 will tell

  function isFar(audio, player, off) {
    if (player.fresh && off < 0 && -off <= player.ahead) return false; // it was there early, and waits for its moment
    if (player.jumped && !player.moves && performance.now() < player.notBefore) return false; // a jump takes its time; another begins anew
    if (Math.abs(off) > JUMP_SECONDS) return true;
    if (!player.moves || performance.now() < player.notBefore || isUnsure(audio, player)) return false;
    if (player.stalls) return Math.abs(off) > (isStiff(player) ? STIFF_SECONDS : NEAR_SECONDS);
    return Math.abs(off) > SLOW_SECONDS && group.track.format !== "mp3"; // of an MP3 a jump would load it anew
  }

  // What this browser is like: how late it begins, and what another rate costs.
  function notice(audio, player, off) {
    if (!player.moves) return;
    player.fresh = false;
    if (player.jumped) {
      player.jumped = false;
      const news = player.stalls && Math.abs(off) < NEAR_SECONDS ? off / 2 : off; // a busy machine is a little late or early each time
      if (Math.abs(off) < LAG_MAX_SECONDS) player.lag = Math.max(0, Math.min(LAG_MAX_SECONDS, player.lag + news));
    }
    if (player.turned !== undefined) {
      // A rate set by somebody else says nothing. One that cost nothing shows that the machine was busy before.
      if (audio.playbackRate === player.rate) player.stalls = off - player.turned > STALL_SECONDS ? player.stalls + 1 : 0;
      player.turned = undefined;
    }
  }

  function turn(audio, player, off) {
    const wanted = Math.abs(off) > JUMP_SECONDS || isStiff(player) || isUnsure(audio, player) ? 1 : rate(off);
    if (audio.playbackRate === wanted || !player.moves) return; // what a rate costs cannot be seen of a player that is still
    audio.playbackRate = wanted;
    Object.assign(player, { turned: off, rate: wanted }); // looked at the next time
  }

  // Loads the file; of an MP3 what sounds from then on, a little later than now, so that there is time to load it.
  function place(audio, player, there, playing) {
    if (performance.now() < player.notBefore) return;
    player.notBefore = performance.now() + AGAIN_MS;
    player.due = player.notBefore + player.ahead * 1000;
    const from = group.track.format === "mp3" ? `&from=${(there + (playing ? player.ahead : 0)).toFixed(3)}` : "";
    // `again`: an address that has failed once is not tried by browsers a second time.
    const where = `session=${encodeURIComponent(group.id)}${from}&again=${++placed}`;
    player.address = `/api/listen/audio?${where}`;
    player.of = player.track;
    player.fresh = true; // it has not begun yet
    player.began = from ? undefined : 0;
    audio.pause();
    audio.preload = "auto";
    audio.src = player.address;
    audio.playbackRate = 1;
    audio.addEventListener("loadeddata", () => align(audio, player), { once: true });
    if (!from) return;
    const begun = (answer) => {
      if (!player.address.endsWith(where)) return;
      player.began = answer.position;
      align(audio, player);
    };
    Goop.request(`listen/began?${where}`).then(begun, () => {}); // asked for anew
  }
  let placed = 0;

  // It did not come in time: once more, with more time.
  function later(player) {
    player.ahead = Math.min(AHEAD_MAX_SECONDS, player.ahead * 2);
    player.address = "";
  }

  function start(audio, player) {
    if (player.blocked) return;
    audio.play().catch((error) => {
      if (error.name !== "NotAllowedError" || player.blocked) return;
      player.blocked = true;
      for (const gesture of GESTURES) addEventListener(gesture, unblock, { capture: true, passive: true });
      notify(audio, player);
    });
  }

  // Browsers want a click or a key before sound: whichever comes first will do.
  function unblock() {
    for (const gesture of GESTURES) removeEventListener(gesture, unblock, { capture: true });
    for (const [audio, player] of players) {
      player.blocked = false;
      align(audio, player);
    }
  }

  // What a page may want to show: silent (no track), paused, blocked, loading, offline, playing.
  function stateOf(audio, player) {
    if (!group || !group.track || !group.role) return "silent";
    if (!group.play_state.playing || position() >= length()) return "paused";
    if (player.blocked) return "blocked";
    if (!audio.paused && (audio.readyState > 2 || player.moves)) return "playing"; // WebKit says of sound that is heard that it has no more of it
    return broken ? "offline" : "loading";
  }

  function notify(audio, player) {
    const state = stateOf(audio, player);
    if (state === player.state) return;
    player.state = state;
    audio.dispatchEvent(new CustomEvent("goop-listen", { detail: state }));
  }

  const rate = (off) => (Math.abs(off) < CLOSE_SECONDS ? 1 : 1 + Math.max(-RATE, Math.min(RATE, off / 2)));

  function alignStream(audio, player) {
    const there = position();
    if (!group.play_state.playing || there >= length()) {
      hush(audio, player);
    } else if (!player.address || audio.error || audio.ended) {
      tune(audio, player);
    } else {
      if (audio.paused) start(audio, player);
      if (player.began === undefined) return;
      const off = there - heard(audio, player);
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
    start(audio, player);
    player.key = key;
    audio.addEventListener("loadeddata", () => learn(audio, player), { once: true });
  }

  // Where sound under way began is known better the longer the host is known.
  function learn(audio, player) {
    const { key } = player;
    const begun = (answer) => {
      // Some formats say themselves where they are: a player's time begins there and not at 0.
      if (player.key === key && player.address.endsWith(key)) player.began = answer.position - player.zero;
    };
    if (player.began === undefined) player.zero = audio.buffered.length ? audio.buffered.start(0) : 0;
    return Goop.request(`listen/began?key=${key}`).then(begun, () => {}); // it is over already, and asked for anew
  }

  function hush(audio, player) {
    if (!player.address) return;
    player.address = "";
    audio.pause();
    audio.removeAttribute("src");
    audio.load();
  }

  const ACTIONS = {
    create: options({ name: NAME }, ["name"]),
    load: options({ path: NAME }, ["path"]),
    play: options({}),
    pause: options({}),
    seek: options({ seconds: NUMBER }, ["seconds"]),
    close: options({}),
  };

  Goop.listen = {
    /** The session: {id, name, role, track, play_state, listeners}, or null. */
    state: renew,
    /** Where everybody is in the track, in seconds. */
    position,
    /** Where the player `audio` is in the track, in seconds. */
    heard: Goop.reads("listen.heard", { audio: AUDIO }, (audio) => (players.has(audio) ? heard(audio, players.get(audio)) : 0)),
    /** What the player `audio` does: silent (no track), paused, blocked (the browser wants a click first), loading, offline, playing; left
     * without `join`. The element's event `goop-listen` tells of a change, with this as its `detail`. */
    hearing: Goop.reads("listen.hearing", { audio: AUDIO }, (audio) => (players.has(audio) ? stateOf(audio, players.get(audio)) : "left")),
    /** Calls `listener(session or null)` at every change; gives the function that ends it. */
    subscribe(listener) {
      FUNCTION(listener, "Goop.listen.subscribe: listener");
      listeners.add(listener);
      listen();
      return () => {
        listeners.delete(listener);
        silence();
      };
    },
    /** Plays in the audio element `audio`, in step with everybody; resolves once this page is in the session. Call it from a click:
     * browsers want one before sound. */
    join: Goop.asks("listen.join", { audio: AUDIO }, (audio) => {
      if (!players.has(audio)) {
        const player = { address: "", timer: 0, starting: 0, notBefore: 0, due: 0, ahead: AHEAD_SECONDS, late: LATE_SECONDS, blocked: false, state: "" };
        Object.assign(player, { at: 0, moves: false, fresh: false, lag: 0, jumped: false, stalls: 0, turned: undefined });
        player.timer = setInterval(() => align(audio, player), STEP_MS);
        players.set(audio, player);
        listen();
        follow();
      } else {
        players.get(audio).blocked = false; // called from a click, as it should be
      }
      if (group && group.role) return Promise.resolve(group);
      return new Promise((resolve, reject) => waiting.add({ resolve, reject }));
    }),
    /** Stops hearing in `audio`. */
    leave: Goop.reads("listen.leave", { audio: AUDIO }, (audio) => {
      const player = players.get(audio);
      if (!player) return;
      clearInterval(player.timer);
      clearTimeout(player.starting);
      players.delete(audio);
      hush(audio, player);
      silence();
    }),
    /** What the host of this page can load, as control("load") takes it; null for everybody else. */
    files: async () => (await Goop.request("listen/files")).files,
    /** The owner's: control("play"), control("load", {path}), control("seek", {seconds}), … */
    async control(action, more) {
      if (!Object.hasOwn(ACTIONS, action)) refuse(`Goop.listen.control: action takes one of ${Object.keys(ACTIONS).join(", ")}, not ${Goop.kinds.quoted(action)}`);
      return Goop.request("listen/control", { action, ...ACTIONS[action](more, `Goop.listen.control("${action}")`) });
    },
  };
})();
