// The quiz in the browser: shows questions.json, sends the letters chosen, shows what score-quiz.lua says of them.
const form = document.getElementById("quiz");
const result = document.getElementById("result");

/** An element with properties and children. Texts become text, never markup. */
function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

const letter = (index) => String.fromCharCode(65 + index);

function card({ question, options }, place, all) {
  const choices = options.map((text, index) =>
    element(
      "label",
      { className: "option" },
      element("input", { type: "radio", name: `q${place}`, value: letter(index) }),
      element("span", { textContent: text }),
    ),
  );
  return element(
    "fieldset",
    { className: "card" },
    element("legend", {}, element("span", { className: "soft", textContent: `${place + 1} of ${all.length}` }), question),
    element("div", { className: "options" }, ...choices),
    element("p", { className: "note" }),
  );
}

function showFeedback(set, { right, note }, answered) {
  set.classList.toggle("right", right);
  set.classList.toggle("wrong", !right);
  set.querySelector(".note").replaceChildren(element("strong", { textContent: right ? "✓ Right. " : answered ? "✗ Not so. " : "– Not answered. " }), note);
}

function clearFeedback(set) {
  set.classList.remove("right", "wrong");
  set.querySelector(".note").replaceChildren();
}

const response = await fetch("questions.json");
const cards = (await response.json()).map(card);
const list = document.getElementById("questions");
list.append(...cards);
list.removeAttribute("aria-busy");

let round = 0; // counts questions and new starts: a score that comes late is of no use
const answersIn = (chosen) => cards.map((_, place) => chosen.get(`q${place}`) ?? "");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const mine = ++round;
  const answers = answersIn(new FormData(form));
  result.textContent = "…";
  try {
    const scored = await Goop.data.call("score-quiz", { answers });
    if (mine !== round) return;
    result.textContent = `${scored.score} of ${scored.total}`;
    const now = answersIn(new FormData(form));
    scored.feedback.forEach((feedback, place) => {
      if (now[place] === answers[place]) showFeedback(cards[place], feedback, answers[place] !== ""); // else it was chosen anew
    });
  } catch (error) {
    if (mine !== round) return;
    result.textContent = error.code === "rate_limited" ? "Too many tries: wait a minute." : error.message;
  }
});

form.addEventListener("reset", () => {
  round++;
  result.textContent = "";
  cards.forEach(clearFeedback);
  scrollTo({ top: 0 });
});
