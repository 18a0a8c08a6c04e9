/** Uses of a metered feature: `limit` in all, `remaining` when the token was issued, `resets_at` in Unix seconds. */
export interface Allowance {
  readonly limit: number;
  readonly remaining: number;
  readonly resets_at?: number;
}

export type FeatureClaim = boolean | number | Allowance;

/** What an entitlement token says. Times are Unix seconds. */
export interface EntitlementClaims {
  readonly sub: string;
  readonly plan: string;
  readonly ver: number;
  readonly f: Readonly<Record<string, FeatureClaim>>;
  readonly iat: number;
  readonly exp: number;
}

/** What a user has of a feature; null when it is not in the token, or the token has ended. */
export function grantOf(claims: EntitlementClaims | null, feature: string, now = seconds()): FeatureClaim | null {
  if (!claims || claims.exp <= now || !Object.hasOwn(claims.f, feature)) return null;
  return claims.f[feature] || null;
}

/**
 * Whether a user may use a feature now. `used` is what was used since the token was issued and is not in it yet.
 *
 * In a page it hides and shows; only a server that verified the token can enforce it.
 */
export function can(claims: EntitlementClaims | null, feature: string, now = seconds(), used = 0): boolean {
  const grant = grantOf(claims, feature, now);
  if (grant === null || typeof grant !== "object") return grant !== null;
  // Past the reset a whole new allowance is there; the next token says what is left of it.
  const renewed = grant.resets_at !== undefined && grant.resets_at <= now;
  return (renewed ? grant.limit : grant.remaining) - used > 0;
}

export function seconds(): number {
  return Math.floor(Date.now() / 1000);
}
