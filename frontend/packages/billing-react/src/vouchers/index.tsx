"use client";

import { lazy, Suspense } from "react";
import { SkeletonCard } from "../ui/Skeleton.js";

// Few have one: nothing of it loads before it is shown.
const Lazy = lazy(() => import("./Vouchers.js"));

/** Redeem a voucher, see what was redeemed, buy a plan for somebody else. `code`: to begin with, as from a link. */
export function Vouchers(props: { code?: string }) {
  return (
    <Suspense fallback={<SkeletonCard heading lines={3} />}>
      <Lazy {...props} />
    </Suspense>
  );
}

/** A code to scan; with its encoder, only where one is drawn. Needs a `Suspense` around it. */
export const QrCode = lazy(async () => ({ default: (await import("../ui/QrCode.js")).QrCode }));
