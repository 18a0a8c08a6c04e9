/** What a user may use: for pages and servers alike, without any dependency. */
export { can, grantOf, type Allowance, type EntitlementClaims, type FeatureClaim } from "./claims.js";
export {
  parseGateProblem,
  parsePaywallError,
  paywallProblem,
  unavailableProblem,
  type GateProblem,
  type Offer,
  type PaywallProblem,
  type Scenario,
  type UnavailableProblem,
} from "./problem.js";
export { isFlagOn, isFlagOnForAll, place, type Rollout } from "./rollout.js";
