// Before the first paint, so that the page does not flash in the other theme. A file, for the sake of a strict CSP.
(() => {
  const kept = localStorage.getItem("bitsleuth-theme");
  const dark = kept === "dark" || (kept !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.classList.toggle("dark", dark);
})();
