"use client";

import { useEffect, useRef } from "react";
import { Notice } from "../ui/Notice.js";

/** What was just done, in words; takes the focus, which would fall to the page when its dialog goes. */
export function Said({ text, onGone }: { text: string; onGone?: () => void }) {
  const ref = useRef<HTMLDivElement>(null);
  // After the dialog has given the focus back to a button that may be gone.
  useEffect(() => {
    const timer = setTimeout(() => ref.current?.focus());
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <div ref={ref} className="bsb-said" tabIndex={-1} role="status" onBlur={onGone}>
      <Notice tone="good">{text}</Notice>
    </div>
  );
}
