// The shell of one page. It ends when the page is left: a later answer is dropped, so it paints nothing, requests nothing and writes no
// address. Event listeners, timers and dialogs of the page end with it.
import { file, get, post } from "./api.js";
import { asking, confirm, dialog } from "./dialogs.js";
import { events } from "./events.js";
import { toast } from "./toasts.js";

/** What is chosen in one region: `const isChosen = choose()` when it is asked for; once it is answered, `isChosen()` says whether nothing else was chosen since. */
export function choices() {
  let newest = 0;
  return () => {
    const mine = ++newest;
    return () => mine === newest;
  };
}

/** What is shown anew in one region: `const isNews = ask()`; once it is answered, `isNews()` says whether no answer to a later question is shown yet. */
export function renewals() {
  let asked = 0;
  let shown = 0;
  return () => {
    const mine = ++asked;
    return () => {
      if (mine <= shown) return false;
      shown = mine;
      return true;
    };
  };
}

/** The shell of one page, made of the `common` one; `close()` is called when the page is left. */
export function openPage(common) {
  const leaving = new AbortController();
  const { signal } = leaving;
  const atEnd = (work) => signal.addEventListener("abort", work, { once: true });
  const living = (work) => (...args) => signal.aborted || work(...args);

  // A promise that settles as `promise` does while the page is shown, and never once it was left.
  const whileShown = (promise) => new Promise((resolve, reject) => promise.then(living(resolve), living(reject)));

  const page = {
    ...common,
    choices,
    renewals,
    /** The answer of a control. */
    get: (path) => whileShown(get(path)),
    /** A file that a control gives, a `Blob`. */
    file: (path) => whileShown(file(path)),
    /** The same of one that takes what is asked in a body, and changes nothing. */
    read: (path, body) => whileShown(post(path, body)),
    /** Changes something. When that is refused after the page was left, a toast says so. */
    post(path, body) {
      const answer = post(path, body);
      answer.catch((error) => signal.aborted && toast(error.message, "bad"));
      return whileShown(answer);
    },
    whileShown,
    dialog: (...parts) => whileShown(dialog(signal, ...parts)),
    asking: (...parts) => whileShown(asking(signal, ...parts)),
    confirm: (question, agree) => whileShown(confirm(question, agree, signal)),
    /** Calls `listener(data)` at each event `kind` while the page is shown. */
    on: (kind, listener) => atEnd(events.on(kind, living(listener))),
    /** Calls `work` every so many milliseconds while the page is shown. */
    every(milliseconds, work) {
      const timer = setInterval(work, milliseconds);
      atEnd(() => clearInterval(timer));
    },
    /** `soon()` calls `work` so many milliseconds later, once; `again`: called anew before that, it waits anew. */
    delayed(milliseconds, work, again = false) {
      let timer = 0;
      const stop = () => clearTimeout(timer);
      atEnd(stop);
      return living(() => {
        if (timer && !again) return;
        stop();
        timer = setTimeout(() => {
          timer = 0;
          work();
        }, milliseconds);
      });
    },
    atEnd,
    note: living(common.note),
    guard: living(common.guard),
  };
  for (const name of ["query", "inner"]) Object.defineProperty(page, name, { get: () => common[name] }); // as it is when it is asked for, and not as it was
  return { page, close: () => leaving.abort() };
}
