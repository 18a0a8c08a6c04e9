// Before the first paint: the theme chosen here, else the system's.
const kept = localStorage.getItem("theme");
document.documentElement.classList.toggle("dark", kept ? kept === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
