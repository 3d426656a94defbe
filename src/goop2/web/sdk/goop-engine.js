// A small engine for games on a canvas. It adds names to the page itself, as pages of Goop2 use them: GameLoop, Renderer, SpriteSheet, Input,
// Collision, TileMap, GameAudio, SceneManager, Entity, and clamp, lerp, random, randomInt, distance, angle.
(function () {
  "use strict";
  const SECOND_MS = 1000;
  const STEPS_MAX = 5; // after a pause (a hidden tab) it goes on, and does not catch up

  /** Calls `update(seconds)` `rate` times a second, and `render(part of a step)` once a frame. */
  class GameLoop {
    constructor(rate = 60) {
      this.rate = rate;
      this.running = false;
    }

    start(update, render = () => {}) {
      if (this.running) return;
      this.running = true;
      const step = SECOND_MS / this.rate;
      let last = performance.now();
      let left = 0;
      const frame = (now) => {
        if (!this.running) return;
        left = Math.min(left + now - last, step * STEPS_MAX);
        last = now;
        for (; left >= step; left -= step) update(step / SECOND_MS);
        render(left / step);
        this.frame = requestAnimationFrame(frame);
      };
      this.frame = requestAnimationFrame(frame);
    }

    stop() {
      this.running = false;
      cancelAnimationFrame(this.frame);
    }
  }

  /** Draws on a canvas. */
  class Renderer {
    constructor(canvas) {
      this.canvas = typeof canvas === "string" ? document.getElementById(canvas) || document.querySelector(canvas) : canvas;
      this.ctx = this.canvas.getContext("2d");
      this.ctx.imageSmoothingEnabled = false;
    }

    get width() {
      return this.canvas.width;
    }

    get height() {
      return this.canvas.height;
    }

    clear(color) {
      this.ctx.clearRect(0, 0, this.width, this.height);
      if (color) this.drawRect(0, 0, this.width, this.height, color);
    }

    drawRect(x, y, width, height, color = "#fff") {
      this.ctx.fillStyle = color;
      this.ctx.fillRect(x, y, width, height);
    }

    drawRectOutline(x, y, width, height, color = "#fff", lineWidth = 1) {
      Object.assign(this.ctx, { strokeStyle: color, lineWidth });
      this.ctx.strokeRect(x, y, width, height);
    }

    drawCircle(x, y, radius, color = "#fff") {
      this.ctx.fillStyle = color;
      this.ctx.beginPath();
      this.ctx.arc(x, y, radius, 0, 2 * Math.PI);
      this.ctx.fill();
    }

    /** A picture, or a part {x, y, width, height} of it. */
    drawSprite(image, x, y, width = image.width, height = image.height, part) {
      if (part) this.ctx.drawImage(image, part.x, part.y, part.width, part.height, x, y, width, height);
      else this.ctx.drawImage(image, x, y, width, height);
    }

    drawText(text, x, y, color = "#fff", font = "16px sans-serif", align = "left") {
      Object.assign(this.ctx, { fillStyle: color, font, textAlign: align, textBaseline: "top" });
      this.ctx.fillText(text, x, y);
    }

    drawTextCentered(text, y, color = "#fff", font = "16px sans-serif") {
      this.drawText(text, this.width / 2, y, color, font, "center");
    }
  }

  /** A picture of tiles of one size; `ready` resolves once it is loaded. */
  class SpriteSheet {
    constructor(src, width, height) {
      this.tileWidth = width;
      this.tileHeight = height;
      this.image = new Image();
      this.ready = new Promise((resolve, reject) => {
        this.image.addEventListener("load", () => resolve(this));
        this.image.addEventListener("error", () => reject(new Error(`there is no picture ${src}`)));
      });
      this.ready.catch(() => {});
      this.image.src = src;
    }

    get columns() {
      return Math.max(1, Math.floor(this.image.width / this.tileWidth));
    }

    /** Where a tile lies in the picture: {x, y, width, height}. */
    getTile(index) {
      const row = Math.floor(index / this.columns);
      return { x: (index % this.columns) * this.tileWidth, y: row * this.tileHeight, width: this.tileWidth, height: this.tileHeight };
    }

    draw(renderer, index, x, y, width = this.tileWidth, height = this.tileHeight) {
      const ctx = renderer.ctx || renderer;
      const tile = this.getTile(index);
      if (this.image.complete && this.image.width) ctx.drawImage(this.image, tile.x, tile.y, tile.width, tile.height, x, y, width, height);
    }
  }

  /** Keys by names: bind("jump", ["Space", "ArrowUp"]). Call update() at the end of each step. */
  class Input {
    constructor(target = globalThis) {
      this.names = new Map();
      this.down = new Set();
      this.pressed = new Set();
      this.released = new Set();
      target.addEventListener("keydown", (event) => {
        for (const key of [event.code, event.key]) {
          if (!this.down.has(key)) this.pressed.add(key);
          this.down.add(key);
        }
        if (this.isBound(event) && !(event.target instanceof Element && event.target.matches("input, textarea, select"))) event.preventDefault(); // an arrow would scroll the page
      });
      target.addEventListener("keyup", (event) => {
        for (const key of [event.code, event.key]) {
          this.down.delete(key);
          this.released.add(key);
        }
      });
      target.addEventListener("blur", () => this.down.clear());
    }

    bind(name, keys) {
      this.names.set(name, [keys].flat());
      return this;
    }

    isBound({ code, key }) {
      return [...this.names.values()].some((keys) => keys.includes(code) || keys.includes(key));
    }

    keysOf(name) {
      return this.names.get(name) || [name];
    }

    isDown(name) {
      return this.keysOf(name).some((key) => this.down.has(key));
    }

    justPressed(name) {
      return this.keysOf(name).some((key) => this.pressed.has(key));
    }

    justReleased(name) {
      return this.keysOf(name).some((key) => this.released.has(key));
    }

    update() {
      this.pressed.clear();
      this.released.clear();
    }
  }

  const sizeOf = ({ width, w, height, h }) => [width ?? w ?? 0, height ?? h ?? 0];

  /** Whether things touch: boxes {x, y, width, height}, circles {x, y, radius}. */
  const Collision = {
    rectRect(one, other) {
      const [[width, height], [otherWidth, otherHeight]] = [sizeOf(one), sizeOf(other)];
      return one.x < other.x + otherWidth && one.x + width > other.x && one.y < other.y + otherHeight && one.y + height > other.y;
    },
    pointRect(point, box) {
      const [width, height] = sizeOf(box);
      return point.x >= box.x && point.x < box.x + width && point.y >= box.y && point.y < box.y + height;
    },
    circleCircle: (one, other) => distance(one.x, one.y, other.x, other.y) < one.radius + other.radius,
    circleRect(circle, box) {
      const [width, height] = sizeOf(box);
      return distance(circle.x, circle.y, clamp(circle.x, box.x, box.x + width), clamp(circle.y, box.y, box.y + height)) < circle.radius;
    },
  };
  Collision.rect = Collision.rects = Collision.aabb = Collision.rectRect;
  Collision.circles = Collision.circleCircle;

  /** A map of tiles: `data` is rows of numbers, or one list of them. 0 and less is nothing; what is more is solid, unless `solid` says which are. */
  class TileMap {
    constructor(data, width, height, sheet) {
      const isRows = Array.isArray(data[0]);
      this.width = isRows ? data[0].length : width;
      this.height = isRows ? data.length : height;
      this.data = data.flat();
      this.sheet = sheet || null;
      this.tileWidth = (sheet && sheet.tileWidth) || (isRows && width) || 16;
      this.tileHeight = (sheet && sheet.tileHeight) || (isRows && height) || 16;
      this.solid = null; // a set of numbers
    }

    getTileAt(x, y) {
      const [column, row] = [Math.floor(x / this.tileWidth), Math.floor(y / this.tileHeight)];
      return this.at(column, row);
    }

    at(column, row) {
      return column < 0 || row < 0 || column >= this.width || row >= this.height ? -1 : this.data[row * this.width + column];
    }

    isSolid(x, y) {
      const tile = this.getTileAt(x, y);
      return this.solid ? new Set(this.solid).has(tile) : tile > 0;
    }

    setTile(column, row, tile) {
      if (this.at(column, row) !== -1 || (column >= 0 && row >= 0 && column < this.width && row < this.height)) this.data[row * this.width + column] = tile;
    }

    /** Whether a box meets a solid tile. */
    collideRect(x, y, width, height) {
      const box = typeof x === "object" ? { ...x, width: sizeOf(x)[0], height: sizeOf(x)[1] } : { x, y, width, height };
      const last = 1e-6; // a box that ends where a tile begins does not meet it
      for (let top = box.y; ; top = Math.min(top + this.tileHeight, box.y + box.height - last)) {
        for (let left = box.x; ; left = Math.min(left + this.tileWidth, box.x + box.width - last)) {
          if (this.isSolid(left, top)) return true;
          if (left >= box.x + box.width - last) break;
        }
        if (top >= box.y + box.height - last) break;
      }
      return false;
    }

    draw(renderer, offsetX = 0, offsetY = 0) {
      this.data.forEach((tile, index) => {
        if (tile <= 0) return;
        const [x, y] = [(index % this.width) * this.tileWidth - offsetX, Math.floor(index / this.width) * this.tileHeight - offsetY];
        if (this.sheet) this.sheet.draw(renderer, tile - 1, x, y);
        else renderer.drawRect(x, y, this.tileWidth, this.tileHeight, "#888");
      });
    }
  }

  /** Sounds by name. A browser plays nothing before the page was pressed; that is no error. */
  class GameAudio {
    constructor() {
      this.sounds = new Map();
      this.muted = false;
    }

    load(name, src) {
      const sound = new Audio(src);
      sound.preload = "auto";
      this.sounds.set(name, sound);
      return sound;
    }

    play(name, { volume = 1, loop = false } = {}) {
      const sound = this.sounds.get(name);
      if (!sound || this.muted) return;
      Object.assign(sound, { volume, loop, currentTime: 0 });
      sound.play().catch(() => {});
    }

    stop(name) {
      const sound = this.sounds.get(name);
      if (!sound) return;
      sound.pause();
      sound.currentTime = 0;
    }

    stopAll() {
      for (const name of this.sounds.keys()) this.stop(name);
    }

    toggleMute() {
      this.muted = !this.muted;
      if (this.muted) this.stopAll();
      return this.muted;
    }
  }

  /** Scenes {enter, exit, update(seconds), render(renderer)} by name, of which one is on. */
  class SceneManager {
    constructor() {
      this.scenes = new Map();
      this.current = null;
    }

    add(name, scene) {
      this.scenes.set(name, scene);
      return this;
    }

    switch(name, ...more) {
      const next = this.scenes.get(name);
      if (!next) throw new Error(`there is no scene "${name}"; there are ${[...this.scenes.keys()].join(", ") || "none"}`);
      if (this.current && this.current.exit) this.current.exit();
      this.current = next;
      this.name = name;
      if (next.enter) next.enter(...more);
    }

    update(seconds) {
      if (this.current && this.current.update) this.current.update(seconds);
    }

    render(renderer, part) {
      if (this.current && this.current.render) this.current.render(renderer, part);
    }
  }

  /** Something in a game: where it is, how big, and how fast. */
  class Entity {
    constructor(x = 0, y = 0, width = 0, height = 0) {
      Object.assign(this, { x, y, width, height, vx: 0, vy: 0, active: true });
    }

    update(seconds) {
      this.x += this.vx * seconds;
      this.y += this.vy * seconds;
    }

    render(renderer) {
      renderer.drawRect(this.x, this.y, this.width, this.height);
    }

    collidesWith(other) {
      return Collision.rectRect(this, other);
    }
  }

  const clamp = (value, min, max) => Math.min(Math.max(value, min), max);
  const lerp = (from, to, part) => from + (to - from) * part;
  const random = (min = 0, max = 1) => min + Math.random() * (max - min);
  const randomInt = (min, max) => Math.floor(random(min, max + 1));
  const isPoint = (what) => what !== null && typeof what === "object";
  /** distance(x1, y1, x2, y2), or of two {x, y}. */
  const distance = (x1, y1, x2, y2) => (isPoint(x1) ? Math.hypot(y1.x - x1.x, y1.y - x1.y) : Math.hypot(x2 - x1, y2 - y1));
  /** The direction from one to the other, in radians. */
  const angle = (x1, y1, x2, y2) => (isPoint(x1) ? Math.atan2(y1.y - x1.y, y1.x - x1.x) : Math.atan2(y2 - y1, x2 - x1));

  Object.assign(globalThis, { GameLoop, Renderer, SpriteSheet, Input, Collision, TileMap, GameAudio, SceneManager, Entity, clamp, lerp, random, randomInt, distance, angle });
})();
