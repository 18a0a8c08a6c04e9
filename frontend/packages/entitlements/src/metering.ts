import { AsyncLocalStorage } from "node:async_hooks";
import type { EntitlementClaims } from "./claims.js";
import type { UsageCall } from "./service.js";

const MAX_ENTRIES = 10_000;

/** Reports that failed, per user: beyond these nothing metered is given until one of them could be told. */
export const MOST_OWED = 25;

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
  readonly #owed = new Map<string, Set<Owed>>();

  /** What was used of a feature since the token was issued, or is still being reported. */
  used(claims: EntitlementClaims, feature: string): number {
    const tally = this.#tallies.get(`${claims.sub}|${feature}`);
    if (!tally) return 0;
    return tally.iat < claims.iat ? tally.reporting : tally.used;
  }

  /** The uses of a user that could not be reported: they count until they are, whatever token comes. */
  owed(sub: string): Set<Owed> {
    return this.#owed.get(sub) ?? new Set();
  }

  /** Keeps a use that could not be reported. */
  owe(sub: string, owed: Owed): void {
    const all = this.owed(sub).add(owed);
    this.#owed.delete(sub);
    this.#owed.set(sub, all);
    if (this.#owed.size > MAX_ENTRIES) this.#owed.delete(this.#owed.keys().next().value as string);
  }

  /** A use that was owed is told: from now on the next token knows it. */
  paid(sub: string, owed: Owed): void {
    const all = this.owed(sub);
    if (!all.delete(owed)) return;
    if (all.size === 0) this.#owed.delete(sub);
    owed.end(true);
  }

  /** Counts a use until the answer is called: when it was reported (true), or is taken back (false). */
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

/** A use that was given and not reported; `end` takes it off the tally. */
export interface Owed {
  readonly call: UsageCall;
  readonly end: (counted: boolean) => void;
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
