// The console's start: takes the token out of the address and asks who this peer is. Holds it in this tab only.

const KEY = "goop2-console-token";

function token() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem(KEY, given);
    history.replaceState(null, "", location.pathname + location.search); // out of sight, and out of the history
  }
  return sessionStorage.getItem(KEY);
}

async function control(path) {
  const response = await fetch(`/api/console/${path}`, { headers: { Authorization: `Bearer ${token()}` } });
  const body = await response.json();
  if (!response.ok) throw new Error(body.message);
  return body;
}

const note = document.getElementById("note");
try {
  const home = await control("home");
  document.getElementById("label").textContent = home.label;
  note.textContent = `${home.id} · ${home.scripts.length} scripts`;
  const site = document.getElementById("site");
  site.href = home.site;
  site.hidden = false;
} catch (error) {
  note.textContent = error.message;
}
