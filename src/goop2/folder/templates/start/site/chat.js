// A box for !commands: what is typed goes to the peer whose page this is, and its reply comes as a message.
const [said, form, text, problem] = ["said", "say", "text", "problem"].map((id) => document.getElementById(id));
const SHOWN_MAX = 50;

function add(line, mine) {
  const item = document.createElement("li");
  item.textContent = line;
  item.classList.toggle("mine", mine);
  said.append(item);
  while (said.childElementCount > SHOWN_MAX) said.firstElementChild.remove();
  item.scrollIntoView({ block: "nearest" });
}

const peer = location.pathname.split("/")[2]; // a site is at /p/<id of its peer>/
Goop.chat.subscribe((message) => message.from === peer && add(message.content, false));

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const line = text.value.trim();
  if (!line) return;
  problem.textContent = "";
  add(line, true); // before its reply can come
  text.select();
  try {
    await Goop.chat.send(peer, line);
  } catch (error) {
    problem.textContent = error.message;
  }
});
