// The saved versions of a script: what each differs in from the text in the editor, and putting one back.
import { difference, hunks } from "./diff.js";
import { el } from "./dom.js";
import { moment } from "./format.js";
import { filteredList } from "./lists.js";
import { many, t } from "./text.js";

const LINES_MAX = 3000; // of a difference that are shown

/** Promise of the text of the version that is to be put back; null when none is. `which` is {kind, name}, `text` what the editor has. */
export async function chooseVersion(shell, which, name, text) {
  const versions = await shell.read("scripts/versions", which);
  if (!versions.length) {
    await shell.dialog(t`Versions of ${name}`, el("p", { class: "soft" }, t("None is kept yet: each save adds one.")), el("p", { class: "row end" }, el("button", { value: "" }, t("Close"))));
    return null;
  }
  let chosen = null; // {id, text}
  const about = el("p", { class: "small soft", role: "status" }, t("Choose a version to see what it differs in."));
  const view = el("div", { class: "diff mono small", tabindex: "0", role: "region", "aria-label": t("Difference") });
  const restore = el("button", { class: "main", value: "yes", disabled: true }, t("Restore this version"));
  const list = filteredList({
    label: t("Find a version"), keyOf: ({ id }) => id, text: ({ at }) => moment(at),
    make: (one) => el("li", {}, el("button", { type: "button", class: "quiet", "aria-pressed": String(chosen?.id === one.id), onclick: () => look(one) }, moment(one.at))),
  });
  list.set(versions);

  const looking = shell.choices();
  async function look(one) {
    const isChosen = looking();
    chosen = { id: one.id, text: null };
    restore.disabled = true;
    list.set(versions);
    try {
      const answer = await shell.read("scripts/version", { ...which, id: one.id });
      if (!isChosen()) return;
      chosen.text = answer.text;
      paint(one);
      restore.disabled = answer.text === text;
    } catch (error) {
      if (isChosen()) about.textContent = error.message;
    }
  }

  function paint(one) {
    const lines = hunks(difference(chosen.text, text));
    const changed = lines.filter(([sign]) => sign === "-" || sign === "+").length;
    about.textContent = changed ? many(changed, "Saved {1}. {0} line changed since: − was there, + is in the editor now.", "Saved {1}. {0} lines changed since: − was there, + is in the editor now.", moment(one.at)) : t`Saved ${moment(one.at)}. It is what the editor has.`;
    view.replaceChildren(...lines.slice(0, LINES_MAX).map(([sign, line]) => (sign === "…"
      ? el("div", { class: "gap" }, many(line, "{0} equal line", "{0} equal lines"))
      : el("div", { class: { "-": "gone", "+": "new", " ": "same" }[sign] }, el("span", { class: "sign" }, { "-": "−", "+": "+", " ": " " }[sign]), line))),
      ...(lines.length > LINES_MAX ? [el("div", { class: "gap" }, many(lines.length - LINES_MAX, "{0} line more", "{0} lines more"))] : []));
  }

  const answer = await shell.dialog(t`Versions of ${name}`,
    el("div", { class: "versions" }, list.element, el("div", { class: "page" }, about, view)),
    el("p", { class: "row end" }, restore, el("button", { value: "" }, t("Close"))));
  return answer === "yes" && chosen ? chosen.text : null;
}
