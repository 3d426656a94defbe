// What Ctrl+K finds beside the pages: scripts, tables, settings and the documentation by name, runs by number or by any text of theirs.
import { get } from "./api.js";
import { clock } from "./format.js";
import { callerShown, scriptShown, statusShown } from "./run.js";
import { t } from "./text.js";

const KINDS = { command: t("command"), function: t("function"), library: t("shared code") };
const WRITING_MS = 200; // after the last key, until runs are looked for
const RUNS_FOUND = 8;
const TEXT_MIN = 2;

/** Where to look; `go` is the console's way to a page. */
export function placesOf({ go }) {
  let timer = 0;

  async function all() {
    const { scripts, tables, settings, documents } = await get("places");
    return [
      ...scripts.map(({ kind, name, about }) => ({
        title: { command: `!${name}`, library: `lib/${name}` }[kind] || name, about, kind: KINDS[kind], run: () => go("scripts", { kind, name }),
      })),
      ...tables.map((table) => ({ title: table, kind: t("table"), run: () => go("data", { table }) })),
      ...settings.map(({ path, title }) => ({ title, about: path, kind: t("setting"), run: () => go("settings", { of: path }) })),
      ...documents.map(({ name, title }) => ({ title, kind: t("documentation"), run: () => window.open(`/docs/${name}`, "_blank", "noopener") })),
    ];
  }

  const byNumber = (number) => ({ title: t`Run ${number}`, kind: t("run"), run: () => { location.hash = `#/runs/${number}`; } });
  const shown = (run) => ({
    title: t`Run ${run.id}: ${scriptShown(run)}`, about: `${callerShown(run)}, ${clock(run.started)}, ${statusShown(run)}`, kind: t("run"),
    run: () => { location.hash = `#/runs/${run.id}`; },
  });

  function search(text, found) {
    clearTimeout(timer);
    const number = /^#?(\d{1,15})$/.exec(text);
    if (number) return found([byNumber(number[1])]);
    if (text.length < TEXT_MIN) return undefined;
    timer = setTimeout(async () => {
      const runs = await get(`runs?${new URLSearchParams({ text, limit: RUNS_FOUND })}`).catch(() => []);
      found(runs.slice(0, RUNS_FOUND).map(shown));
    }, WRITING_MS);
    return undefined;
  }

  return { all, search };
}
