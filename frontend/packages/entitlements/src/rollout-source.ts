/** Whom a flag is on for, on a server: from the document of `GET /billing/config`, kept and read anew beside the work. */
import { isFlagOn, isFlagOnForAll, type Rollout } from "./rollout.js";

/** Seconds for which the document is taken as it is, and in which a service that did not answer is not asked again. */
const LIVE = 60;
const REST = 5;

export class RolloutSource {
  #rollout: Rollout | null;
  #readAt = -Infinity;
  #triedAt = -Infinity;
  #reading: Promise<void> | null = null;

  constructor(
    private readonly url: string,
    private readonly flag: string,
    private readonly fetch: typeof globalThis.fetch,
    private readonly now: () => number,
    /** What holds until the service was read for the first time. */
    seed: Rollout | null,
  ) {
    this.#rollout = seed;
  }

  /** On or off for whoever has these ids; null when nobody could say. Ids are asked for only where they matter. */
  async isOn(ids: () => Promise<readonly string[]>): Promise<boolean | null> {
    if (this.now() - this.#readAt >= LIVE && (this.#reading || this.now() - this.#triedAt >= REST)) {
      this.#reading ??= this.#read().finally(() => (this.#reading = null));
      if (!this.#rollout) await this.#reading;
    }
    const rollout = this.#rollout;
    if (!rollout) return null;
    const forAll = isFlagOnForAll(rollout, this.flag);
    if (forAll !== null) return forAll;
    const callerIds = await ids();
    // Whom nothing distinguishes is drawn: a share of the calls, as it is of the visitors.
    if (callerIds.length === 0) return Math.random() * 100 < (rollout.flags[this.flag]?.percent ?? 0);
    return callerIds.some((id) => isFlagOn(rollout, this.flag, id));
  }

  async #read(): Promise<void> {
    this.#triedAt = this.now();
    const { fetch } = this;
    try {
      const answer = await fetch(this.url, { cache: "no-store", signal: AbortSignal.timeout(3000) });
      if (!answer.ok) return;
      const document = (await answer.json()) as Rollout;
      if (typeof document.salt !== "string" || typeof document.flags !== "object") return;
      this.#rollout = document;
      this.#readAt = this.now();
    } catch {
      // What was read before goes on; asked again after a rest.
    }
  }
}
