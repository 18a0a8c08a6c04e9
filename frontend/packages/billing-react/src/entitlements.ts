import { unwrap, type ApiError, type Client, type Schemas } from "@bitsleuth/billing-api-client";
import { grants } from "./format.js";
import type { Session } from "./session.js";

export type Entitlement = Schemas["EntitlementView"];

export interface Snapshot {
  /** `loading` only before the first answer; later answers replace each other in place. */
  readonly state: "loading" | "signed-out" | "ready" | "error";
  readonly entitlements: Schemas["EntitlementList"] | null;
  readonly error: ApiError | null;
  /** When the answer came, in milliseconds; 0 before it. */
  readonly at: number;
}

const LOADING: Snapshot = { state: "loading", entitlements: null, error: null, at: 0 };
const SIGNED_OUT: Snapshot = { ...LOADING, state: "signed-out" };

/**
 * What the signed-in user may use, read once per load and kept fresh: before its token ends, when the page is looked
 * at again after a minute, and whenever a gate is about to refuse (a kept no is never trusted).
 */
export class EntitlementStore {
  #snapshot = LOADING;
  #request: Promise<void> | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #listeners = new Set<() => void>();

  constructor(
    private readonly client: Client,
    private readonly session: Session,
    private readonly now: () => number = Date.now,
  ) {}

  snapshot = (): Snapshot => this.#snapshot;

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Begins to follow the session; the answer stops it. */
  start(): () => void {
    const stopFollowing = this.session.subscribe(() => void this.#restart());
    const onVisible = () => {
      if (document.visibilityState === "visible") void this.refreshIfOlderThan(60_000);
    };
    document.addEventListener("visibilitychange", onVisible);
    void this.refresh();
    return () => {
      stopFollowing();
      document.removeEventListener("visibilitychange", onVisible);
      clearTimeout(this.#timer);
    };
  }

  /** Reads again; calls at the same time share one request. */
  refresh(): Promise<void> {
    this.#request ??= this.#read().finally(() => (this.#request = null));
    return this.#request;
  }

  async refreshIfOlderThan(milliseconds: number): Promise<void> {
    if (this.now() - this.#snapshot.at > milliseconds) await this.refresh();
  }

  async #restart(): Promise<void> {
    if (this.session.userId === this.#snapshot.entitlements?.user_id) return;
    await this.#request;
    await this.refresh();
  }

  async #read(): Promise<void> {
    const userId = this.session.userId;
    if (userId === null) return this.#set(SIGNED_OUT);
    try {
      const entitlements = await unwrap(this.client.GET("/billing/entitlements"));
      // Whoever signed out, or in as somebody else, meanwhile does not see what the other one has.
      if (this.session.userId !== userId) return;
      this.#set({ state: "ready", entitlements, error: null, at: this.now() });
      this.#readAgainBefore(entitlements.token_expires_at);
    } catch (error) {
      if (this.session.userId !== userId) return;
      this.#set({ ...this.#snapshot, state: "error", error: error as ApiError, at: this.now() });
    }
  }

  #readAgainBefore(time: string | null): void {
    clearTimeout(this.#timer);
    if (time === null) return;
    this.#timer = setTimeout(() => void this.refresh(), Math.max(30_000, Date.parse(time) - this.now() - 30_000));
  }

  #set(next: Snapshot): void {
    this.#snapshot = next;
    for (const listener of this.#listeners) listener();
  }
}

/** Whether an entitlement is open now: given, not over, and not used up. */
export function isOpen(entitlement: Entitlement | undefined, now: number): boolean {
  if (!entitlement || !grants(entitlement.value)) return false;
  if (entitlement.expires_at && Date.parse(entitlement.expires_at) <= now) return false;
  return entitlement.remaining === undefined || entitlement.remaining === null || entitlement.remaining > 0;
}
