export { isOpen, type Entitlement, type Snapshot } from "./entitlements.js";
export { Protected, type ProtectedProps } from "./protected.js";
export { parseGateProblem, parsePaywallError, type GateProblem, type PaywallProblem } from "@bitsleuth/entitlements";
export { usePaywall, type LetIn, type Paywall } from "./paywall.js";
export {
  BillingOn,
  BillingProvider,
  useBilling,
  useBillingOn,
  useEntitlements,
  useSignOut,
  useUserId,
  type Access,
  type Billing,
  type BillingProviderProps,
  type Entitlements,
} from "./provider.js";
export { createSession, type AdoptedTokens, type Session, type SessionOptions, type Signer } from "./session.js";
