"use client";

import { createBillingClient, type Client } from "@bitsleuth/billing-api-client";
import { createContext, useCallback, useContext, useEffect, useMemo, useSyncExternalStore, type ReactNode } from "react";
import { EntitlementStore, isOpen, type Entitlement, type Snapshot } from "./entitlements.js";
import { withHost, type HostSession } from "./host-session.js";
import type { Messages } from "./i18n.js";
import { RolloutStore } from "./rollout.js";
import { createSession, type Session, type Signer } from "./session.js";
import { within } from "./waiting.js";

export interface Billing {
  readonly client: Client;
  readonly session: Session & Partial<HostSession>;
  readonly store: EntitlementStore;
  /** Null without a `flag`: billing is there for everybody. */
  readonly rollout: RolloutStore | null;
  /** The key that the host's user has already. */
  readonly signer: Signer | null;
  readonly locale: string;
  readonly messages: Partial<Messages>;
  /** Where `Protected` and `UpgradeDialog` send a buyer; the pricing page. */
  readonly pricingUrl: string;
}

export interface BillingProviderProps {
  /** Origin of the billing API; empty for the page's own. */
  apiUrl?: string;
  session?: Session;
  /** The host's session route, when it gates servers with `@bitsleuth/entitlements`: its cookies follow the session. */
  hostSession?: string;
  /** The flag of the rollout that says for whom billing is there at all; for all others everything is open, as before. */
  flag?: string;
  /** The key that the host's user has already (`nsecSigner`): signing in and buying use it, and no new one is offered. */
  signer?: Signer | null;
  /** BCP 47; default: the document's language. */
  locale?: string;
  /** A catalogue of `@bitsleuth/billing-react/messages/*`, or some texts of your own. */
  messages?: Partial<Messages>;
  pricingUrl?: string;
  fetch?: typeof globalThis.fetch;
  children: ReactNode;
}

const Context = createContext<Billing | null>(null);
const NO_MESSAGES: Partial<Messages> = {};
const NEVER_CHANGES = () => () => {};
const UNKNOWN = () => null;
/** How long a call of the host waits for its servers to know who is asking. */
const READY_MS = 8_000;

/** Everything below may ask what the user can use. One request per load, shared by all. */
export function BillingProvider(props: BillingProviderProps) {
  const { apiUrl = "", session: sessionProp, hostSession, flag, signer = null, fetch, children } = props;
  const { messages = NO_MESSAGES, pricingUrl = "/pricing" } = props;
  const inBrowser = useInBrowser();
  const locale = props.locale ?? ((inBrowser && document.documentElement.lang) || "en");
  const core = useMemo(() => {
    const options = { ...(fetch ? { fetch } : {}) };
    const own = sessionProp ?? createSession({ apiUrl, ...options });
    const session = hostSession === undefined ? own : withHost(own, hostSession, fetch);
    const onRejected = (token: string) => session.rejected?.(token);
    const client = createBillingClient({ baseUrl: apiUrl, token: () => session.token(), onRejected, ...options });
    const rollout = flag === undefined ? null : new RolloutStore(`${apiUrl}/billing/config`, flag, session, fetch);
    return { client, session, rollout, store: new EntitlementStore(client, session) };
  }, [apiUrl, sessionProp, hostSession, flag, fetch]);
  useEffect(() => core.rollout?.start(), [core]);
  const failed = useFailed(core.rollout);
  // Where billing is off nothing is asked; where nobody can say, what the user has is worth knowing all the same.
  const asks = useOn(core.rollout) ?? failed;
  useEffect(() => (asks ? core.store.start() : undefined), [core, asks]);
  useEffect(() => void leaveOthersSession(core.session, signer), [core, signer]);
  const billing = useMemo(
    () => ({ ...core, signer, locale, messages, pricingUrl }),
    [core, signer, locale, messages, pricingUrl],
  );
  return <Context.Provider value={billing}>{children}</Context.Provider>;
}

/** False on a server and while its page is being matched: nothing of the browser or of its user may show before. */
export function useInBrowser(): boolean {
  return useSyncExternalStore(NEVER_CHANGES, () => true, () => false);
}

export function useBilling(): Billing {
  const billing = useContext(Context);
  if (!billing) throw new Error("Put a <BillingProvider> around this.");
  return billing;
}

/** The signed-in user's id, or null; re-renders when it changes. */
export function useUserId(): string | null {
  const { session } = useBilling();
  return useSyncExternalStore(session.subscribe, () => session.userId, () => null);
}

/** A host's user who took another key does not go on with the sign-in of the one before. */
async function leaveOthersSession(session: Session, signer: Signer | null): Promise<void> {
  // A key that cannot tell who it is (its code did not load) changes nothing.
  const pubkey = await signer?.pubkey?.().catch(() => undefined);
  const by = session.signedInWith;
  if (pubkey !== undefined && by?.name === "host" && by.pubkey !== pubkey) session.signOut();
}

function useOn(rollout: RolloutStore | null): boolean | null {
  return useSyncExternalStore(rollout?.subscribe ?? NEVER_CHANGES, rollout?.isOn ?? alwaysOn, rollout ? UNKNOWN : alwaysOn);
}

const alwaysOn = () => true;
const never = () => false;

function useFailed(rollout: RolloutStore | null): boolean {
  return useSyncExternalStore(rollout?.subscribe ?? NEVER_CHANGES, rollout?.hasFailed ?? never, never);
}

/** Whether billing is there for this visitor, by the provider's `flag`; null while that is not known. */
export function useBillingOn(): boolean | null {
  return useOn(useBilling().rollout);
}

/** Shows what belongs to billing (a link, a page) to those for whom it is there. */
export function BillingOn({ children, fallback = null }: { children: ReactNode; fallback?: ReactNode }) {
  return useBillingOn() === true ? children : fallback;
}

/**
 * Signs out of billing, at the host's servers too; the key stays, and signs in again with one click. With `forgetKey`
 * the key goes as well, unless it may hold something and was never saved: then false is returned, and it is kept.
 */
export function useSignOut(): (options?: { forgetKey?: boolean }) => Promise<boolean> {
  const { session } = useBilling();
  return useCallback(
    async ({ forgetKey = false } = {}) => {
      session.signOut();
      return !forgetKey || (await import("./signers/kept-key.js")).forgetBillingKey();
    },
    [session],
  );
}

/** `unknown`: nobody could say. It is not a no: neither sell nor close on it. */
export type Access = "open" | "locked" | "unknown" | "loading";

export interface Entitlements extends Snapshot {
  /** Whether a feature is open now, and whether that is known. */
  check(feature: string): Access;
  /** Whether a feature is open for sure. False while loading, and while it cannot be checked. */
  can(feature: string): boolean;
  get(feature: string): Entitlement | undefined;
  refresh(): Promise<void>;
  /** Resolves when the host's servers know who is asking; what a page calls as it loads waits for it. Never rejects. */
  ready(): Promise<void>;
}

export function useEntitlements(): Entitlements {
  const { store, session, rollout } = useBilling();
  const snapshot = useSyncExternalStore(store.subscribe, store.snapshot, store.snapshot);
  const on = useOn(rollout);
  const failed = useFailed(rollout);
  return useMemo(() => {
    const get = (feature: string) => snapshot.entitlements?.entitlements.find((e) => e.feature === feature);
    const check = (feature: string): Access => {
      if (on === false || (!session.refused && isOpen(get(feature), Date.now()))) return "open";
      if (on === null) return failed ? "unknown" : "loading";
      if (snapshot.state === "loading") return "loading";
      // A no that was said is still one; a yes that has ended since may have been renewed.
      const wasOpen = isOpen(get(feature), snapshot.answeredAt);
      return snapshot.state === "unknown" && (session.refused || !snapshot.entitlements || wasOpen) ? "unknown" : "locked";
    };
    const ready = async () => {
      if (on !== false) await within(READY_MS, session.token()).catch(() => undefined);
    };
    return { ...snapshot, get, check, can: (feature) => check(feature) === "open", refresh: () => store.refresh(), ready };
  }, [snapshot, store, session, on, failed]);
}