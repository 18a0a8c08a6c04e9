"use client";

import { lazy, Suspense, useEffect, type ReactNode } from "react";
import { useBilling, useEntitlements } from "./provider.js";

const LockedCard = lazy(() => import("./components/LockedCard.js"));

export interface ProtectedProps {
  feature: string;
  children: ReactNode;
  /** Shown when the feature is locked; default: a card that says why and what opens it. */
  fallback?: ReactNode;
  /** Shown before the first answer; default: nothing. Give it the size of the content, so that nothing moves. */
  loading?: ReactNode;
}

/** A kept no older than this is asked again before it is believed. */
const TRUST_NO_MS = 5_000;

/** Shows `children` to those who have the feature. It hides, it does not secure: servers check for themselves. */
export function Protected({ feature, children, fallback, loading = null }: ProtectedProps) {
  const { store } = useBilling();
  const { state, can } = useEntitlements();
  const open = can(feature);
  useEffect(() => {
    if (!open) void store.refreshIfOlderThan(TRUST_NO_MS);
  }, [open, store]);
  if (open) return children;
  if (state === "loading") return loading;
  return fallback !== undefined ? (
    fallback
  ) : (
    <Suspense fallback={loading}>
      <LockedCard feature={feature} />
    </Suspense>
  );
}
