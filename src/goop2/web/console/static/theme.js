// Light, dark, or as the system says; before the first paint, so that nothing flashes.
document.documentElement.dataset.theme = localStorage.getItem("goop2-theme") || "auto";
