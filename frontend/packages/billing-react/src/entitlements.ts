import { ApiError, unwrap, type Client, type Schemas } from "@bitsleuth/billing-api-client";
import { grants } from "./format.js";
import type { HostSession } from "./host-session.js";
import type { Session } from "./session.js";
import { onReturn, within } from "./waiting.js";

export type Entitlement = Schemas["EntitlementView"];

export interface Snapshot {
  /**
   * `loading` only before the first answer; later answers replace each other in place. `unknown`: the service could not
   * be asked, which says nothing about what the user has; it is asked again by itself.
   */
  readonly state: "loading" | "signed-out" | "ready" | "unknown";
  /** What was said last; in `unknown` it may be of before, or null. */
  readonly entitlements: Schemas["EntitlementList"] | null;
  readonly error: ApiError | null;
  /** When it was asked last, and when it was answered last, in milliseconds; 0 before it. */
  readonly at: number;
  readonly answeredAt: number;
}

const LOADING: Snapshot = { state: "loading", entitlements: null, error: null, at: 0, answeredAt: 0 };
const SIGNED_OUT: Snapshot = { ...LOADING, state: "signed-out" };
/** How long an answer is waited for, and then the waits until it is asked again: the last one for as long as it takes. */
const PATIENCE_MS = 6_000;
const WAITS_MS = [1_000, 2_000, 4_000, 8_000, 15_000, 30_000];

/**
 * What the signed-in user may use, read once per load and kept fresh: before its token ends, when the page is looked
 * at again after a minute, whenever a gate is about to refuse (a kept no is never trusted), and until there is an answer.
 */
export class EntitlementStore {
  #snapshot = LOADING;
  #request: Promise<void> | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  #following = false;
  /** While it is above 0 nothing is read: what somebody reads at a gate does not go because the gate opens. */
  held = 0;
  readonly #listeners = new Set<() => void>();

  constructor(
    private readonly client: Client,
    private readonly session: Session & Partial<HostSession>,
    private readonly now: () => number = Date.now,
  ) {}

  snapshot = (): Snapshot => this.#snapshot;

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Begins to follow the session; the answer stops it. */
  start(): () => void {
    this.#following = true;
    const stopFollowing = this.session.subscribe(() => void this.#restart());
    const stopLooking = onReturn(() => void this.refreshIfOlderThan(this.#snapshot.state === "unknown" ? 500 : 60_000));
    void this.refresh();
    return () => {
      stopFollowing();
      stopLooking();
      this.#following = false;
      clearTimeout(this.#timer);
    };
  }

  /** Reads again; calls at the same time share one request. */
  refresh(): Promise<void> {
    if (this.held) return Promise.resolve();
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
    clearTimeout(this.#timer);
    if (userId === null) return this.#set(SIGNED_OUT);
    const kept = this.#snapshot.entitlements?.user_id === userId ? this.#snapshot.entitlements : null;
    try {
      const entitlements = await within(PATIENCE_MS, unwrap(this.client.GET("/billing/entitlements")));
      if (!Array.isArray(entitlements?.entitlements)) throw new ApiError(0, "network", "The billing service did not answer.");
      // Whoever signed out, or in as somebody else, meanwhile does not see what the other one has.
      if (this.session.userId !== userId) return;
      // What the host's servers would refuse is not shown as open.
      if (this.session.refused) throw new ApiError(403, "host_refused", "The host refused.");
      this.#failures = 0;
      this.#set({ state: "ready", entitlements, error: null, at: this.now(), answeredAt: this.now() });
      const ends = entitlements.token_expires_at;
      if (ends !== null) this.#readAgainIn(Math.max(30_000, Date.parse(ends) - this.now() - 30_000));
    } catch (error) {
      if (this.session.userId !== userId) return;
      const answeredAt = kept ? this.#snapshot.answeredAt : 0;
      this.#set({ state: "unknown", entitlements: kept, error: error as ApiError, at: this.now(), answeredAt });
      // Not all at once, when the service is back for everybody.
      const wait = WAITS_MS[Math.min(this.#failures++, WAITS_MS.length - 1)] as number;
      this.#readAgainIn(wait * (0.75 + Math.random() / 2));
    }
  }

  #readAgainIn(milliseconds: number): void {
    clearTimeout(this.#timer);
    if (this.#following) this.#timer = setTimeout(() => void this.refresh(), milliseconds);
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
