import type { EntitlementClaims } from "./claims.js";

const MAX_ENTRIES = 10_000;

interface Tally {
  iat: number;
  used: number;
  reporting: number;
}

/**
 * Use that this process has seen and the token does not know yet. It bounds what metering after the response can
 * overshoot: each process stops at the remainder of the token it sees, so at most `processes × remainder` in its life.
 */
export class Tallies {
  readonly #tallies = new Map<string, Tally>();

  /** What was used of a feature since the token was issued, or is still being reported. */
  used(claims: EntitlementClaims, feature: string): number {
    const tally = this.#tallies.get(`${claims.sub}|${feature}`);
    if (!tally) return 0;
    return tally.iat < claims.iat ? tally.reporting : tally.used;
  }

  /** Counts a use; the answer is called when it was reported, or could not be. */
  add(claims: EntitlementClaims, feature: string, amount: number): () => void {
    const key = `${claims.sub}|${feature}`;
    const tally = this.#tallies.get(key) ?? { iat: claims.iat, used: 0, reporting: 0 };
    if (tally.iat < claims.iat) Object.assign(tally, { iat: claims.iat, used: tally.reporting });
    tally.used += amount;
    tally.reporting += amount;
    this.#tallies.delete(key);
    this.#tallies.set(key, tally);
    if (this.#tallies.size > MAX_ENTRIES) this.#tallies.delete(this.#tallies.keys().next().value as string);
    return () => {
      tally.reporting -= amount;
    };
  }
}
