"use client";

import { lazy, Suspense, type ComponentProps } from "react";

// What few open is loaded when it is.
const Change = lazy(() => import("./ChangePlanDialog.js"));
const Cancel = lazy(() => import("./CancelDialog.js"));

export const ChangePlanDialog = (props: ComponentProps<typeof Change>) => (
  <Suspense>
    <Change {...props} />
  </Suspense>
);

export const CancelDialog = (props: ComponentProps<typeof Cancel>) => (
  <Suspense>
    <Cancel {...props} />
  </Suspense>
);
