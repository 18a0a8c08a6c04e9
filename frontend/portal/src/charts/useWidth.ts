import { useEffect, useRef, useState, type RefObject } from "react";

/** The width of an element in CSS pixels, as it changes; a drawing made for it keeps its texts readable on any screen. */
export function useWidth<Node extends Element>(first: number): [RefObject<Node | null>, number] {
  const ref = useRef<Node>(null);
  const [width, setWidth] = useState(first);
  useEffect(() => {
    if (!ref.current || typeof ResizeObserver === "undefined") return undefined;
    const observer = new ResizeObserver(([entry]) => {
      if (entry && entry.contentRect.width > 0) setWidth(Math.round(entry.contentRect.width));
    });
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, []);
  return [ref, width];
}
