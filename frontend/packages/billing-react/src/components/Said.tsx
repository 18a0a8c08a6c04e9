"use client";

import { useEffect, useRef } from "react";
import { Notice } from "../ui/Notice.js";

/** What was just done, in words; takes the focus, which would fall to the page when its dialog goes. */
export function Said({ text, onGone }: { text: string; onGone?: () => void }) {
  const ref = useRef<HTMLDivElement>(null);
  const gone = useRef(onGone);
  useEffect(() => {
    gone.current = onGone;
  });
  useEffect(() => {
    // Goes with the next click, once that has landed: gone as it is pressed, what stands below would slip from under it.
    const go = () => gone.current?.();
    const timer = setTimeout(() => {
      // After the dialog has given the focus back to a button that may be gone.
      ref.current?.focus();
      document.addEventListener("click", go);
    });
    return () => {
      clearTimeout(timer);
      document.removeEventListener("click", go);
    };
  }, [text]);
  return (
    <div ref={ref} className="bsb-said" tabIndex={-1} role="status">
      <Notice tone="good">{text}</Notice>
    </div>
  );
}
