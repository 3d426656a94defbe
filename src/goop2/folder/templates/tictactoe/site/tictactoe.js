// Tic-tac-toe in the browser: the lobby under #, a game under #7. It shows what games.lua says and asks for moves;
// whether one is made is for move.lua to say.
import { sdk } from "./sdk.js";

const LOBBY_MILLISECONDS = 2500;
const GAME_MILLISECONDS = 1000;

const at = (id) => document.getElementById(id);

/** An element with properties and children. Texts become text, never markup. */
function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** The game in the address; null in the lobby, and where the address holds no number of a game. */
function gameId() {
  const id = Number(location.hash.slice(1));
  return Number.isSafeInteger(id) && id > 0 ? id : null;
}

/** Calls a function that says `error` where it refuses; null then, after a word to the player. */
async function ask(name, params) {
  try {
    const answer = await Goop.data.call(name, params);
    if (!answer.error) return answer;
    Goop.ui.toast(answer.error);
  } catch (error) {
    Goop.ui.toast(error.code === "rate_limited" ? "Not so fast: try again in a moment." : error.message);
  }
  return null;
}

// The lobby

function entry(game) {
  const playing = game.status === "playing";
  const mini = element("div", { className: "mini", ariaHidden: "true" });
  mini.append(...[...game.board].map((mark) => element("i", { className: mark === "-" ? "" : mark.toLowerCase() })));
  const names = playing ? `${game.x} against ${game.o}` : game.x;
  const what = game.you ? "yours" : playing ? "being played" : "waits for somebody";
  const label = game.you ? "Play" : playing ? "Watch" : "Join";
  const go = element("button", { textContent: label, onclick: () => (label === "Join" ? join(game.id) : show(game.id)) });
  go.setAttribute("aria-label", `${label}: ${names}`);
  go.classList.toggle("main", label !== "Watch");
  const who = element("div", { className: "who" }, element("p", {}, element("strong", { textContent: names })), element("p", { className: "soft small", textContent: what }));
  return element("li", { className: "card" }, mini, who, go);
}

let listed = "";
function showLobby(games) {
  at("no-games").hidden = games.length > 0;
  // Only when something changed: a button must not go away under a finger.
  if (listed === JSON.stringify(games)) return;
  listed = JSON.stringify(games);
  at("games").replaceChildren(...games.map(entry));
}

// A game

const cells = Array.from({ length: 9 }, (_, position) => element("button", { onclick: () => move(position) }));
at("board").append(...cells);

function statusOf(game) {
  const other = game.turn === "X" ? game.x : game.o;
  if (game.status === "open") return game.you ? "Waiting for somebody to join…" : "Waits for a second player";
  if (game.status === "draw") return "A draw";
  if (game.status === "won") return game.you ? (game.you === game.winner ? "You won!" : "You lost") : `${game[game.winner.toLowerCase()]} won`;
  return game.turn === game.you ? "Your turn" : `${other}’s turn`;
}

const LINES = [
  [0, 1, 2], [3, 4, 5], [6, 7, 8],
  [0, 3, 6], [1, 4, 7], [2, 5, 8],
  [0, 4, 8], [2, 4, 6],
];

/** The positions of three in a row, for showing; who won is for the peer to say. */
const lineOf = ({ board, winner }) => LINES.find((line) => winner && line.every((position) => board[position] === winner)) ?? [];

function showCell(cell, position, mark, mayMove) {
  if (cell.dataset.mark !== mark) {
    cell.dataset.mark = mark;
    cell.replaceChildren(...(mark === "-" ? [] : [element("span", { className: `mark ${mark.toLowerCase()}` })]));
  }
  cell.setAttribute("aria-label", `Row ${Math.floor(position / 3) + 1}, column ${(position % 3) + 1}: ${mark === "-" ? "free" : mark}`);
  cell.classList.toggle("free", mayMove && mark === "-");
  cell.disabled = !(mayMove && mark === "-");
}

function showPlayer(mark, label, game) {
  const shown = at(mark.toLowerCase());
  shown.querySelector(".name").textContent = label ? (game.you === mark ? "You" : label) : "nobody yet";
  shown.classList.toggle("turn", game.turn === mark);
}

function showGame(game) {
  const text = statusOf(game);
  if (at("status").textContent !== text) at("status").textContent = text;
  showPlayer("X", game.x, game);
  showPlayer("O", game.o, game);
  cells.forEach((cell, position) => showCell(cell, position, game.board[position], game.status === "playing" && game.turn === game.you));
  const line = lineOf(game);
  cells.forEach((cell, position) => cell.classList.toggle("line", line.includes(position)));
  at("join").hidden = game.status !== "open" || Boolean(game.you);
  at("again").hidden = game.status !== "won" && game.status !== "draw";
}

// What a visitor does

function show(id) {
  location.hash = id ?? "";
}

// Whoever has gone to another game, or to the lobby, by the time the answer comes stays there.
async function open() {
  const from = gameId();
  const opened = await ask("new-game");
  if (opened && gameId() === from) show(opened.game_id);
}

async function join(id) {
  const from = gameId();
  const joined = await ask("join-game", { game_id: id });
  if (joined && gameId() !== id && gameId() === from) show(id);
  else refresh();
}

async function move(position) {
  await ask("move", { game_id: gameId(), position });
  refresh();
}

at("new").onclick = open;
at("again").onclick = open;
at("join").onclick = () => join(gameId());

// What is new: asked again and again while somebody looks

let timer;
let asked = 0;

async function refresh() {
  clearTimeout(timer);
  const id = gameId();
  const mine = ++asked;
  try {
    const { games } = await Goop.data.call("games", id ? { game_id: id } : {});
    if (mine !== asked) return; // a later question is on its way
    if (at("away").textContent) at("away").textContent = "";
    if (id && !games.length) {
      Goop.ui.toast("That game is not there any more.");
      show(null);
      return;
    }
    at("lobby").hidden = Boolean(id);
    at("game").hidden = !id;
    if (id) showGame(games[0]);
    else showLobby(games);
  } catch (error) {
    if (mine !== asked) return;
    at("away").textContent = "The peer cannot be reached; trying again…";
  }
  if (!document.hidden) timer = setTimeout(refresh, id ? GAME_MILLISECONDS : LOBBY_MILLISECONDS);
}

await sdk("ui");
addEventListener("hashchange", refresh);
document.addEventListener("visibilitychange", () => document.hidden || refresh());
refresh();
