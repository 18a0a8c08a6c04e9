"use client";

export function ThemeButton() {
  function toggle() {
    const dark = document.documentElement.classList.toggle("dark");
    localStorage.setItem("theme", dark ? "dark" : "light");
  }
  return (
    <button className="quiet" onClick={toggle}>
      Theme
    </button>
  );
}
