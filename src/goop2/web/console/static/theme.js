// What is settled before the first paint, so that nothing flashes: the colours, and the language, whose file comes while the scripts do.
{
  const root = document.documentElement;
  root.dataset.theme = localStorage.getItem("goop2-theme") || "auto";
  const there = root.dataset.languages.split(" ");
  const wanted = [localStorage.getItem("goop2-language") || "", ...navigator.languages].map((one) => one.split("-")[0]);
  root.lang = wanted.find((one) => there.includes(one)) || "en";
  if (root.lang !== "en") {
    const file = Object.assign(document.createElement("link"), { rel: "preload", as: "fetch", crossOrigin: "anonymous", href: `/languages/${root.lang}.json` });
    document.head.append(file);
  }
}
