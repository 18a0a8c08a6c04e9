/** What a user may use: for pages and servers alike, without any dependency. */
export { can, grantOf, type Allowance, type EntitlementClaims, type FeatureClaim } from "./claims.js";
export { parsePaywallError, paywallProblem, type Offer, type PaywallProblem, type Scenario } from "./problem.js";
export { isFlagOn, place, type Rollout } from "./rollout.js";
