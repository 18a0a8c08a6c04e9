/** What is known of accounts that changed: tokens of an older version of theirs are not believed any more. */

/** Where it is kept. The default is this process; where a host has several, one that all of them read. */
export interface Changes {
  /** The newest version that was heard of an account; undefined: none. */
  versionOf(userId: string): number | undefined | Promise<number | undefined>;
  note(userId: string, version: number): void | Promise<void>;
}

/** How many accounts are remembered: a token outlives its change by minutes, not by so many changes. */
const KEPT = 50_000;
const PLACE = Symbol.for("@bitsleuth/entitlements:changes");

class Remembered implements Changes {
  readonly #versions = new Map<string, number>();

  versionOf(userId: string): number | undefined {
    return this.#versions.get(userId);
  }

  note(userId: string, version: number): void {
    const before = this.#versions.get(userId) ?? 0;
    this.#versions.delete(userId);
    this.#versions.set(userId, Math.max(before, version));
    if (this.#versions.size > KEPT) this.#versions.delete(this.#versions.keys().next().value as string);
  }
}

export const remembered = (): Changes => new Remembered();

/** One for the whole process: a framework may load this module once for its routes and again for its pages. */
export function ofThisProcess(): Changes {
  const everywhere = globalThis as { [PLACE]?: Changes };
  return (everywhere[PLACE] ??= remembered());
}
