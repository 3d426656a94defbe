// Files that are dropped on a part of the page, with those in folders that are dropped. Gives the function that ends it.
const FILES_MAX = 500; // dropped at once

/** Calls `take([{path, file}], folder)`; `folder` is that of the element with `data-folder` on which they were dropped. */
export function dropped(element, take) {
  let entered = 0;
  const hasFiles = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
  const folderOf = (target) => target.closest?.("[data-folder]")?.dataset.folder ?? "";

  function paint(target) {
    for (const one of element.querySelectorAll(".drop-here")) one.classList.remove("drop-here");
    element.classList.toggle("dropping", entered > 0);
    if (entered > 0) target?.closest?.("[data-folder]")?.classList.add("drop-here");
  }

  const listeners = {
    dragenter(event) {
      if (!hasFiles(event)) return;
      event.preventDefault();
      entered += 1;
      paint(event.target);
    },
    dragover(event) {
      if (!hasFiles(event)) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "copy";
      paint(event.target);
    },
    dragleave() {
      entered = Math.max(0, entered - 1);
      paint(null);
    },
    async drop(event) {
      if (!hasFiles(event)) return;
      event.preventDefault();
      entered = 0;
      paint(null);
      const folder = folderOf(event.target);
      // Taken now: the list is empty once this returns.
      const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
      const plain = [...event.dataTransfer.files].map((file) => ({ path: file.name, file }));
      const files = entries.some((entry) => entry.isDirectory) ? await all(entries) : plain;
      if (files.length) take(files.slice(0, FILES_MAX), folder);
    },
  };
  for (const [name, listener] of Object.entries(listeners)) element.addEventListener(name, listener);
  return () => Object.entries(listeners).forEach(([name, listener]) => element.removeEventListener(name, listener));
}

async function all(entries, above = "") {
  const found = [];
  for (const entry of entries) {
    if (found.length >= FILES_MAX || entry.name.startsWith(".")) continue;
    if (entry.isFile) found.push({ path: above + entry.name, file: await new Promise((resolve, reject) => { entry.file(resolve, reject); }) });
    else found.push(...await all(await inside(entry), `${above}${entry.name}/`));
  }
  return found;
}

async function inside(folder) {
  const reader = folder.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => { reader.readEntries(resolve, reject); });
    if (!some.length || found.length >= FILES_MAX) return found;
    found.push(...some);
  }
}
