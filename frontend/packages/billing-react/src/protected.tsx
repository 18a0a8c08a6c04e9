"use client";

import { lazy, Suspense, useEffect, type ReactNode } from "react";
import { useBilling, useEntitlements } from "./provider.js";

const LockedCard = lazy(() => import("./components/LockedCard.js"));
const UnknownCard = lazy(() => import("./components/UnknownCard.js"));

export interface ProtectedProps {
  feature: string;
  children: ReactNode;
  /** Shown when the service said that the feature is locked; default: a card that says why and what opens it. */
  fallback?: ReactNode;
  /** Shown before the first answer; default: nothing. Give it the size of the content, so that nothing moves. */
  loading?: ReactNode;
  /** Shown while access cannot be checked, which is not a no; default: a card that says so. It is asked again by itself. */
  unknown?: ReactNode;
}

/** A kept no older than this is asked again before it is believed. */
const TRUST_NO_MS = 5_000;

/** Shows `children` to those who have the feature. It hides, it does not secure: servers check for themselves. */
export function Protected({ feature, children, fallback, loading = null, unknown }: ProtectedProps) {
  const { store } = useBilling();
  const access = useEntitlements().check(feature);
  useEffect(() => {
    if (access === "locked") void store.refreshIfOlderThan(TRUST_NO_MS);
  }, [access, store]);
  if (access === "open") return children;
  if (access === "loading") return loading;
  const said = access === "unknown" ? unknown : fallback;
  if (said !== undefined) return said;
  return <Suspense fallback={loading}>{access === "unknown" ? <UnknownCard /> : <LockedCard feature={feature} />}</Suspense>;
}
