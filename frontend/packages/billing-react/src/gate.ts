export { isOpen, type Entitlement, type Snapshot } from "./entitlements.js";
export { Protected, type ProtectedProps } from "./protected.js";
export {
  BillingProvider,
  useBilling,
  useEntitlements,
  useUserId,
  type Billing,
  type BillingProviderProps,
  type Entitlements,
} from "./provider.js";
export { createSession, type Session, type SessionOptions, type Signer } from "./session.js";
