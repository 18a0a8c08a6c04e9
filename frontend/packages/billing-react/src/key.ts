"use client";

import { useEffect, useState, useSyncExternalStore } from "react";
import { useBilling, useUserId } from "./provider.js";
import type { Status } from "./queries.js";
import { keptKeys, keyOf, keysAsText, noteKey, onKeys, type KeptKey } from "./signers/index.js";

export interface AccountKey {
  /** The key of this browser that the signed-in account is opened with; null when it is another kind, or not known yet. */
  key: KeptKey | null;
  all: readonly KeptKey[];
}

/** The key behind the account, with what was learnt of the account noted beside it: whether anything would be lost. */
export function useAccountKey(status: Status | undefined): AccountKey {
  const { session } = useBilling();
  const userId = useUserId();
  const [loaded, setLoaded] = useState<{ userId: string; secret: string } | null>(null);
  const by = session.signedInWith ?? null;
  const ours = userId !== null && (by === null || by.name === "billing-key");
  const pubkey = by?.pubkey;
  useEffect(() => {
    if (!ours || userId === null) return;
    let gone = false;
    const by = pubkey === undefined ? null : ({ name: "billing-key", pubkey } as const);
    void keyOf({ userId, by }, false).then((secret) => {
      if (!gone) setLoaded(secret === null ? null : { userId, secret });
    });
    return () => {
      gone = true;
    };
  }, [ours, userId, pubkey]);
  const secret = ours && loaded?.userId === userId ? loaded.secret : null;
  const plan = status && (isPaid(status) ? status.plan_name : null);
  const holds = status?.holds;
  useEffect(() => {
    if (secret === null || holds === undefined) return;
    noteKey(secret, { userId, plan: plan ?? null, holds });
  }, [secret, userId, plan, holds]);
  useSyncExternalStore(onKeys, keysAsText, () => "");
  const all = secret === null ? [] : keptKeys();
  return { key: all.find((each) => each.secret === secret) ?? null, all };
}

function isPaid(status: Status): boolean {
  return status.subscriptions.some(({ open }) => open) || status.terms.some(({ open }) => open);
}
