"use client";

import { useEffect, useState } from "react";

const CONNECTION = /^nostr\+?walletconnect:/i;
let brought: { anchor: string; text: string } | null = null;

/** Where a wallet brings its owner back to. It adds `value=`, the connection: behind the #, which reaches no server. */
export function wayBack(anchor: string): string {
  return `${location.origin}${location.pathname}#${anchor}`;
}

/**
 * Takes what a wallet brought back out of the address, at once: it can pay. Some put it before the # all the same; then
 * the page's own server has seen it.
 */
export function takeReturned(): void {
  const { hash, search, pathname } = location;
  const [anchor = "", behind = ""] = hash.slice(1).split(/[?&](.*)/s);
  const query = new URLSearchParams(search);
  const text = new URLSearchParams(behind).get("value") ?? query.get("value") ?? "";
  if (!CONNECTION.test(text)) return;
  query.delete("value");
  brought = { anchor, text };
  history.replaceState(history.state, "", `${pathname}${query.size > 0 ? `?${query.toString()}` : ""}#${anchor}`);
}

/** The connection that a wallet brought back to this place, once; "" where it brought none. */
export function useReturned(anchor: string): { text: string; taken: () => void } {
  const read = () => (brought?.anchor === anchor ? brought.text : "");
  const [text, setText] = useState(read);
  useEffect(() => {
    const look = () => {
      takeReturned();
      if (brought?.anchor === anchor) setText(brought.text);
    };
    addEventListener("hashchange", look);
    return () => removeEventListener("hashchange", look);
  }, [anchor]);
  return {
    text,
    taken: () => {
      brought = null;
      setText("");
    },
  };
}
