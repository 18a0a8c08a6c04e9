import { useSyncExternalStore } from "react";

const KEY = "bitsleuth-theme";
const CHANGED = "portal:theme";

/** The browser's own bar takes the colour of the page. */
export function paintBar(): void {
  const bar = document.querySelector<HTMLMetaElement>('meta[name="theme-color"]');
  if (bar) bar.content = getComputedStyle(document.documentElement).backgroundColor;
}

export function useTheme(): ["light" | "dark", () => void] {
  const dark = useSyncExternalStore(subscribe, () => document.documentElement.classList.contains("dark"));
  const toggle = () => {
    localStorage.setItem(KEY, dark ? "light" : "dark");
    document.documentElement.classList.toggle("dark", !dark);
    paintBar();
    dispatchEvent(new Event(CHANGED));
  };
  return [dark ? "dark" : "light", toggle];
}

function subscribe(listener: () => void): () => void {
  addEventListener(CHANGED, listener);
  return () => removeEventListener(CHANGED, listener);
}
