import { useSyncExternalStore } from "react";

const KEY = "bitsleuth-theme";
const CHANGED = "portal:theme";

export function useTheme(): ["light" | "dark", () => void] {
  const dark = useSyncExternalStore(subscribe, () => document.documentElement.classList.contains("dark"));
  const toggle = () => {
    localStorage.setItem(KEY, dark ? "light" : "dark");
    document.documentElement.classList.toggle("dark", !dark);
    dispatchEvent(new Event(CHANGED));
  };
  return [dark ? "dark" : "light", toggle];
}

function subscribe(listener: () => void): () => void {
  addEventListener(CHANGED, listener);
  return () => removeEventListener(CHANGED, listener);
}
