import { nextGate } from "@bitsleuth/entitlements/next";

/** The one gate of this host; where the billing API is comes from the environment in which the server runs. */
export const { withFeature, gatedAction, session, onBillingEvent } = nextGate();
