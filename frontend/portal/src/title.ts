import { useEffect } from "react";

/** The title of the window and of its entry in the history. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · BitSleuth`;
  }, [title]);
}
