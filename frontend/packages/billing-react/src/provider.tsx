"use client";

import { createBillingClient, type Client } from "@bitsleuth/billing-api-client";
import { createContext, useContext, useEffect, useMemo, useSyncExternalStore, type ReactNode } from "react";
import { EntitlementStore, isOpen, type Entitlement, type Snapshot } from "./entitlements.js";
import { withHost } from "./host-session.js";
import type { Messages } from "./i18n.js";
import { createSession, type Session } from "./session.js";

export interface Billing {
  readonly client: Client;
  readonly session: Session;
  readonly store: EntitlementStore;
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

/** Everything below may ask what the user can use. One request per load, shared by all. */
export function BillingProvider(props: BillingProviderProps) {
  const { apiUrl = "", session: given, hostSession, messages = NO_MESSAGES, pricingUrl = "/pricing", fetch, children } = props;
  const inBrowser = useInBrowser();
  const locale = props.locale ?? ((inBrowser && document.documentElement.lang) || "en");
  const core = useMemo(() => {
    const options = { ...(fetch ? { fetch } : {}) };
    const own = given ?? createSession({ apiUrl, ...options });
    const session = hostSession === undefined ? own : withHost(own, hostSession, fetch);
    const client = createBillingClient({ baseUrl: apiUrl, token: () => session.token(), ...options });
    return { client, session, store: new EntitlementStore(client, session) };
  }, [apiUrl, given, hostSession, fetch]);
  useEffect(() => core.store.start(), [core]);
  const billing = useMemo(
    () => ({ ...core, locale, messages, pricingUrl }),
    [core, locale, messages, pricingUrl],
  );
  return <Context.Provider value={billing}>{children}</Context.Provider>;
}

/** False on a server and while its page is being matched: nothing of the browser or of its user may show before. */
export function useInBrowser(): boolean {
  return useSyncExternalStore(NEVER_CHANGES, () => true, () => false);
}

export function useBilling(): Billing {
  const billing = useContext(Context);
  if (!billing) throw new Error("Put a <BillingProvider> around this component.");
  return billing;
}

/** The signed-in user's id, or null; re-renders when it changes. */
export function useUserId(): string | null {
  const { session } = useBilling();
  return useSyncExternalStore(session.subscribe, () => session.userId, () => null);
}

export interface Entitlements extends Snapshot {
  /** Whether a feature is open now. False while loading. */
  can(feature: string): boolean;
  get(feature: string): Entitlement | undefined;
  refresh(): Promise<void>;
}

export function useEntitlements(): Entitlements {
  const { store } = useBilling();
  const snapshot = useSyncExternalStore(store.subscribe, store.snapshot, store.snapshot);
  return useMemo(() => {
    const get = (feature: string) => snapshot.entitlements?.entitlements.find((e) => e.feature === feature);
    return { ...snapshot, get, can: (feature) => isOpen(get(feature), Date.now()), refresh: () => store.refresh() };
  }, [snapshot, store]);
}
