import { isFlagOn, isFlagOnForAll, type Rollout } from "@bitsleuth/entitlements";
import type { Session } from "./session.js";
import { onReturn } from "./waiting.js";

const STORAGE_KEY = "bitsleuth-billing-rollout";
/** Read by the host's servers too, so that they and the page agree about who is nobody yet. */
const COOKIE = "bitsleuth_visitor";
const A_YEAR = 31_536_000;
const LOOK_MS = 60_000;
const AGAIN_MS = 5_000;

/**
 * Whether billing is there for whoever is looking at this page. Evaluated here, from a document that is the same for
 * everybody and that the browser keeps: no id leaves it, and a known answer needs no network.
 */
export class RolloutStore {
  #rollout: Rollout | null = null;
  #failed = false;
  #readAt = -Infinity;
  #on: boolean | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #following = false;
  readonly #listeners = new Set<() => void>();

  constructor(
    private readonly url: string,
    private readonly flag: string,
    private readonly session: Session,
    private readonly fetch: typeof globalThis.fetch = globalThis.fetch,
  ) {}

  /** Null while it is not known. */
  isOn = (): boolean | null => this.#on;
  /** Whether it was asked for in vain, and nothing is known from before. */
  hasFailed = (): boolean => this.#failed && this.#on === null;

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  start(): () => void {
    const stopFollowing = this.session.subscribe(() => this.#evaluate());
    const stopLooking = onReturn(() => {
      if (Date.now() - this.#readAt > LOOK_MS || this.#failed) void this.#read();
    });
    this.#following = true;
    this.#rollout ??= kept();
    this.#evaluate();
    void this.#read();
    return () => {
      stopFollowing();
      stopLooking();
      this.#following = false;
      clearTimeout(this.#timer);
    };
  }

  async #read(): Promise<void> {
    clearTimeout(this.#timer);
    const { fetch } = this; // browsers refuse to fetch as a method of something else
    try {
      const answer = await fetch(this.url, { signal: AbortSignal.timeout(AGAIN_MS) });
      const document = answer.ok ? rolloutOf(await answer.json()) : null;
      if (!document) throw new Error("this is no rollout");
      this.#readAt = Date.now();
      this.#failed = false;
      this.#rollout = document;
      keep(document);
    } catch {
      this.#failed = true;
    }
    this.#evaluate();
    clearTimeout(this.#timer);
    if (!this.#following) return;
    const next = () => (document.visibilityState === "visible" || this.#failed ? void this.#read() : undefined);
    this.#timer = setTimeout(next, this.#failed ? AGAIN_MS : LOOK_MS);
  }

  #evaluate(): void {
    if (this.#rollout) {
      const { flag, session } = this;
      const forAll = isFlagOnForAll(this.#rollout, flag);
      // Whoever came in as a visitor stays in when they sign in.
      const ids = forAll === null ? [session.userId, visitor()] : [];
      this.#on = forAll ?? ids.some((id) => id !== null && isFlagOn(this.#rollout, flag, id));
    }
    for (const listener of this.#listeners) listener();
  }
}

/** A random name for a browser that is nobody to us, made when a rollout first needs to tell visitors apart. */
function visitor(): string {
  const remembered = new RegExp(`(?:^|; )${COOKIE}=([\\w-]+)`).exec(document.cookie)?.[1];
  if (remembered) return remembered;
  const made = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `${COOKIE}=${made}; path=/; max-age=${String(A_YEAR)}; samesite=lax${secure}`;
  return made;
}

function rolloutOf(value: unknown): Rollout | null {
  const { salt, flags } = (value ?? {}) as Partial<Rollout>;
  return typeof salt === "string" && typeof flags === "object" && flags !== null ? { salt, flags } : null;
}

/** A browser that keeps nothing asks each time. */
function keep(rollout: Rollout): void {
  try {
    localStorage.setItem(STORAGE_KEY, JSON.stringify(rollout));
  } catch {
    // Full, or not allowed.
  }
}

function kept(): Rollout | null {
  try {
    return rolloutOf(JSON.parse(localStorage.getItem(STORAGE_KEY) ?? "null"));
  } catch {
    return null;
  }
}
