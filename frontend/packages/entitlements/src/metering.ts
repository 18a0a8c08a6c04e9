import { AsyncLocalStorage } from "node:async_hooks";
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

  /** Counts a use; the answer is called when it was reported or could not be, or is taken back. */
  add(claims: EntitlementClaims, feature: string, amount: number): (counted: boolean) => void {
    const key = `${claims.sub}|${feature}`;
    const tally = this.#tallies.get(key) ?? { iat: claims.iat, used: 0, reporting: 0 };
    if (tally.iat < claims.iat) Object.assign(tally, { iat: claims.iat, used: tally.reporting });
    tally.used += amount;
    tally.reporting += amount;
    this.#tallies.delete(key);
    this.#tallies.set(key, tally);
    if (this.#tallies.size > MAX_ENTRIES) this.#tallies.delete(this.#tallies.keys().next().value as string);
    return (counted) => {
      tally.reporting -= amount;
      if (!counted) tally.used -= amount;
    };
  }
}

/** One use of a metered feature, until it is settled. */
export interface Use {
  givenBack: boolean;
}

const current = new AsyncLocalStorage<Use>();

/**
 * Gives back the use that this call would cost: for an answer that failed although its status says 200, in a route, in
 * an action, and inside a stream until it ends. Without metering it does nothing.
 */
export function giveBack(): void {
  const use = current.getStore();
  if (use) use.givenBack = true;
}

export function during<T>(use: Use, work: () => T): T {
  return current.run(use, work);
}

/** The same answer; a body that breaks off on the way gives its use back. Who stops listening has used it. */
export function watched(response: Response, use: Use): Response {
  if (!response.body) return response;
  const reader = response.body.getReader();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        // What makes the stream is asked from here: it belongs to this use.
        const { done, value } = await during(use, () => reader.read());
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (error) {
        use.givenBack = true;
        controller.error(error);
      }
    },
    cancel: (reason) => reader.cancel(reason),
  });
  return new Response(body, response);
}
