"use client";

import { useEffect, useLayoutEffect, useRef } from "react";

type Close = { current: () => void };

/** The open dialogs, the last one on top. They share one entry of the history, whose going closes the top one. */
const open: Close[] = [];
const MARK = "bsbDialog";
const isOurs = () => (history.state as Record<string, unknown> | null)?.[MARK] === true;

function enter(): void {
  // What a host's router keeps in its state stays there.
  if (!isOurs()) history.pushState({ ...(history.state as object | null), [MARK]: true }, "");
}

function onBack(): void {
  if (isOurs()) return;
  const top = open.pop();
  top?.current();
  // One that lies below goes with the next step back.
  if (open.length > 0) enter();
}

/** A phone's Back closes the dialog in place of leaving the page; one that is closed otherwise leaves no entry behind. */
export function useBackCloses(onClose: () => void): void {
  const close = useRef(onClose);
  useEffect(() => void (close.current = onClose));
  // Before the dialog is seen: whoever sees it can step back from it.
  useLayoutEffect(() => {
    if (open.length === 0) addEventListener("popstate", onBack);
    open.push(close);
    enter();
    return () => {
      const place = open.indexOf(close);
      if (place >= 0) open.splice(place, 1);
      // Another dialog may take its place at once, and a link may have led away already.
      setTimeout(() => {
        if (open.length > 0) return;
        removeEventListener("popstate", onBack);
        if (isOurs()) history.back();
      });
    };
  }, []);
}
