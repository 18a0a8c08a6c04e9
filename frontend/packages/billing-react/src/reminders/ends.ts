"use client";

import { unwrap, type Schemas } from "@bitsleuth/billing-api-client";
import { useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { useBilling, useBillingOn, useEntitlements, useUserId } from "../provider.js";
import { onReturn } from "../waiting.js";

export type End = Schemas["EndView"];
type Told = Pick<Schemas["SubscriptionStatus"], "user_id" | "server_time" | "ends">;

const STORAGE_KEY = "bitsleuth-billing-ends";
/** Ends come and go: those that were put away long ago are over. */
const KEPT = 50;
const OLD_MS = 10 * 60_000;
const DAY_MS = 86_400_000;

const listeners = new Set<() => void>();
// Where nothing can be stored, an end stays away for as long as the page is open.
let unstored: string | null = null;

function stored(): string {
  try {
    return unstored ?? localStorage.getItem(STORAGE_KEY) ?? "[]";
  } catch {
    return "[]";
  }
}

function putAway(): string[] {
  try {
    const parsed: unknown = JSON.parse(stored());
    return Array.isArray(parsed) ? parsed.map(String) : [];
  } catch {
    return [];
  }
}

function dismiss(id: string): void {
  const away = JSON.stringify([...putAway().filter((each) => each !== id), id].slice(-KEPT));
  try {
    localStorage.setItem(STORAGE_KEY, away);
    unstored = null;
  } catch {
    unstored = away;
  }
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  addEventListener("storage", listener);
  return () => {
    listeners.delete(listener);
    removeEventListener("storage", listener);
  };
}

export interface EndsOptions {
  /** How many days before an end it is told; default: as many as the service's first reminder. */
  days?: number | undefined;
  /** The status, where it is known already; else it is asked for. */
  status?: Told | undefined;
}

/** What ends soon and was not put away. Which, when and what to do is the service's word; here it is only chosen. */
export function useEnds({ days, status }: EndsOptions = {}): { ends: readonly End[]; dismiss: (id: string) => void } {
  const asked = useTold(status === undefined);
  const latest = status ?? asked;
  const away = useSyncExternalStore(subscribe, stored, () => "[]");
  const ends = useMemo(() => {
    if (!latest) return [];
    const now = Date.parse(latest.server_time);
    const from = (end: End) => (days === undefined ? Date.parse(end.notice_from) : Date.parse(end.ends_at) - days * DAY_MS);
    return (latest.ends ?? []).filter((end) => from(end) <= now && !away.includes(end.id));
  }, [latest, days, away]);
  return { ends, dismiss };
}

/** The service's status, for who has more than a free plan; again when what they have changes, and when it is old. */
function useTold(wanted: boolean): Told | undefined {
  const { client } = useBilling();
  const userId = useUserId();
  const on = useBillingOn();
  const { entitlements } = useEntitlements();
  const [latest, setLatest] = useState<Told>();
  const has = entitlements?.entitlements.some(({ sources }) => sources.some(({ kind }) => kind !== "plan")) ?? false;
  const asks = wanted && on === true && userId !== null && has;
  const version = entitlements?.version;
  useEffect(() => {
    if (!asks) return;
    let gone = false;
    let at = 0;
    const look = () => {
      if (Date.now() - at < OLD_MS) return;
      at = Date.now();
      // Who cannot be told now is told with the next look: nothing here decides about access.
      void unwrap(client.GET("/billing/subscription-status")).then((answer) => void (gone || setLatest(answer)), () => (at = 0));
    };
    look();
    const stop = onReturn(look);
    return () => {
      gone = true;
      stop();
    };
  }, [asks, client, userId, version]);
  return asks && latest?.user_id === userId ? latest : undefined;
}
