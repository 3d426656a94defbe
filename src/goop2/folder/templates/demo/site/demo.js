// The two links to the same site as somebody else: a name in front of the owner's address is a test visitor.
const { protocol, host, pathname } = location;
const site = host.split(".").slice(-2).join(".");

for (const link of document.querySelectorAll("[data-visitor]")) {
  link.href = `${protocol}//${link.dataset.visitor}.${site}${pathname}`;
  link.target = "_blank";
}
// Only the owner's machine has such addresses.
document.querySelector(".others").hidden = !site.includes(".localhost");
