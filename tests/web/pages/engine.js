// A small game in goop-engine.js: what it did, for tests/web/test_sdk_names.py.
() => new Promise((done) => {
  const canvas = document.body.appendChild(document.createElement("canvas"));
  Object.assign(canvas, { width: 64, height: 32 });
  const renderer = new Renderer(canvas);
  const map = new TileMap([1, 0, 0, 0, 0, 0, 0, 2], 4, 2, { tileWidth: 16, tileHeight: 16, draw: (one, tile, x, y) => one.drawRect(x, y, 16, 16, "#f00") });
  const input = new Input(); input.bind("right", ["ArrowRight"]);
  const player = new Entity(20, 4, 8, 8); player.vx = 60;
  const scenes = new SceneManager(); const told = [];
  scenes.add("play", { enter: (level) => told.push(level), update: (seconds) => player.update(seconds), render: (one) => { one.clear("#000"); map.draw(one); player.render(one); } });
  scenes.switch("play", 1);
  dispatchEvent(new KeyboardEvent("keydown", { code: "ArrowRight", key: "ArrowRight" }));
  const keys = [input.isDown("right"), input.justPressed("right")]; input.update(); keys.push(input.justPressed("right"));
  dispatchEvent(new KeyboardEvent("keyup", { code: "ArrowRight", key: "ArrowRight" }));
  keys.push(input.isDown("right"), input.justReleased("right"));
  const loop = new GameLoop(60); let steps = 0;
  loop.start((seconds) => { scenes.update(seconds); steps++; }, () => { scenes.render(renderer); if (steps < 3) return; loop.stop();
    renderer.drawCircle(5, 5, 2); renderer.drawRectOutline(1, 1, 3, 3); renderer.drawText("a", 0, 0); renderer.drawTextCentered("b", 0);
    const pixel = [...renderer.ctx.getImageData(55, 24, 1, 1).data];
    const audio = new GameAudio(); const muted = [audio.toggleMute(), audio.toggleMute()];
    let none = ""; try { scenes.switch("over"); } catch (error) { none = error.message; }
    done({ keys, told, moved: player.x > 20, pixel, muted, none,
      tiles: [map.getTileAt(50, 20), map.isSolid(4, 4), map.collideRect(16, 0, 8, 8), map.collideRect(12, 0, 8, 8)],
      meets: [Collision.rectRect(player, new Entity(0, 0, 64, 32)), Collision.circleCircle({ x: 0, y: 0, radius: 1 }, { x: 3, y: 0, radius: 1 }), player.collidesWith(new Entity(-9, 0, 2, 2))] });
  });
})
