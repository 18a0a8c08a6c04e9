"use client";

import { ApiError, unwrap, type Client, type Schemas } from "@bitsleuth/billing-api-client";
import { QueryClient, useMutation, useQuery } from "@tanstack/react-query";
import { useCallback, useMemo } from "react";
import { useBilling, useUserId } from "./provider.js";
import { noteHeld } from "./signers/kept-key.js";

export type Status = Schemas["SubscriptionStatus"];
export type Quote = Schemas["PlanQuote"];
export type Receipt = Schemas["ReceiptView"];
export type RailQuote = Schemas["RailQuote"];

const clients = new WeakMap<Client, QueryClient>();

/** One cache for each provider, apart from any the host has. */
export function useQueries(): QueryClient {
  const { client } = useBilling();
  let queries = clients.get(client);
  if (!queries) {
    // A token that was refused is renewed by then, or the sign-in has ended.
    const again = (error: Error) => error instanceof ApiError && (error.retryable || [401, 403].includes(error.status));
    const retry = (count: number, error: Error) => count < (error instanceof ApiError && error.retryable ? 2 : 1) && again(error);
    queries = new QueryClient({ defaultOptions: { queries: { retry, staleTime: 30_000 } } });
    clients.set(client, queries);
  }
  return queries;
}

export function usePlans() {
  const { client } = useBilling();
  const queryFn = () => unwrap(client.GET("/billing/plans"));
  return useQuery({ queryKey: ["plans"], queryFn, staleTime: 300_000 }, useQueries());
}

/** What a provider is called and what one pays it with, by the name that plans, purchases and receipts give it. */
export function useProviders() {
  const providers = usePlans().data?.payment_providers;
  const titleOf = (provider: string) => providers?.[provider]?.title ?? provider;
  const railOf = (provider: string) => providers?.[provider]?.rail;
  return { titleOf, railOf, isBitcoin: (provider: string) => railOf(provider) === "bitcoin" };
}

export function useConfig() {
  const { client } = useBilling();
  const queryFn = () => unwrap(client.GET("/billing/config"));
  return useQuery({ queryKey: ["config"], queryFn, staleTime: 300_000, retry: false }, useQueries());
}

export function useStatus() {
  const { client } = useBilling();
  const userId = useUserId();
  const queryFn = () => unwrap(client.GET("/billing/subscription-status"));
  return useQuery({ queryKey: ["status", userId], queryFn, enabled: userId !== null }, useQueries());
}

/** What each plan means to this buyer, by plan: the service's word. Undefined while it has not answered. */
export function useQuotes(): { quotes: ReadonlyMap<string, Quote> | undefined; error: unknown; refetch: () => void } {
  const { client } = useBilling();
  const userId = useUserId();
  const queryFn = () => unwrap(client.GET("/billing/quotes"));
  const own = useQuery({ queryKey: ["quotes", userId], queryFn, enabled: userId !== null }, useQueries());
  const plans = usePlans();
  const answer = userId === null ? plans : own;
  const list = answer.data?.quotes;
  const quotes = useMemo(() => list && new Map(list.map((quote) => [quote.plan_id, quote])), [list]);
  return { quotes, error: answer.error, refetch: () => void answer.refetch() };
}

export function useReceipts() {
  const { client } = useBilling();
  const userId = useUserId();
  const queryFn = () => unwrap(client.GET("/billing/receipts"));
  return useQuery({ queryKey: ["receipts", userId], queryFn, enabled: userId !== null }, useQueries());
}

/** Why a feature is locked and what opens it: the 402 comes back as the error. */
export function useDecision(feature: string, wanted = true) {
  const { client } = useBilling();
  const userId = useUserId();
  const queryFn = () => unwrap(client.GET("/billing/entitlements/{feature}", { params: { path: { feature } } }));
  return useQuery({ queryKey: ["decision", userId, feature], queryFn, enabled: wanted && userId !== null, staleTime: 0 }, useQueries());
}

/** Everything that a payment or a change may have moved is read again. */
export function useRefreshAll(): () => Promise<void> {
  const queries = useQueries();
  const { store } = useBilling();
  return useCallback(async () => {
    await Promise.all([
      store.refresh(),
      ...["status", "quotes", "receipts", "decision"].map((key) => queries.invalidateQueries({ queryKey: [key] })),
    ]);
  }, [queries, store]);
}

export function useOpenCheckout() {
  const { client, session } = useBilling();
  const queries = useQueries();
  const mutationFn = (body: Schemas["CreateCheckoutSession"]) =>
    unwrap(client.POST("/billing/create-checkout-session", { body }));
  // What was begun is offered again wherever its buyer comes back to; nobody waits for that.
  const onSuccess = () => {
    noteHeld(session.userId);
    void queries.invalidateQueries({ queryKey: ["status"] });
  };
  return useMutation({ mutationFn, onSuccess }, queries);
}

export function usePreviewChange() {
  const { client } = useBilling();
  const mutationFn = (body: Schemas["PreviewChange"]) => unwrap(client.POST("/billing/subscription/preview-change", { body }));
  return useMutation({ mutationFn }, useQueries());
}

/** What is said once it is done: also where that took away the place in which it was pressed. Failures are shown there. */
export const once = <T>(done: Promise<T>, say: (answer: T) => void) => void done.then(say, () => undefined);

function useSubscriptionCall<Body>(call: (client: Client, body: Body) => Promise<Status>) {
  const { client } = useBilling();
  const queries = useQueries();
  const userId = useUserId();
  const refreshAll = useRefreshAll();
  return useMutation(
    {
      mutationFn: (body: Body) => call(client, body),
      onSuccess: async (status: Status) => {
        queries.setQueryData(["status", userId], status);
        await refreshAll();
      },
    },
    queries,
  );
}

export const useChangePlan = () =>
  useSubscriptionCall((client, preview_id: string) =>
    unwrap(client.POST("/billing/subscription/change", { body: { preview_id } })),
  );

export const useCancel = () =>
  useSubscriptionCall((client, body: Schemas["CancelSubscription"]) =>
    unwrap(client.POST("/billing/subscription/cancel", { body })),
  );

export const useResume = () =>
  useSubscriptionCall((client, subscription_id: string) =>
    unwrap(client.POST("/billing/subscription/resume", { body: { subscription_id } })),
  );

/** Opens the invoice for the next prepaid term of a group of plans. */
export function useRenew() {
  const { client } = useBilling();
  const mutationFn = (group: string) =>
    unwrap(client.POST("/billing/renewals/{group}/invoice", { params: { path: { group } }, body: {} }));
  return useMutation({ mutationFn }, useQueries());
}

export function useReminders() {
  const { client } = useBilling();
  const queries = useQueries();
  const mutationFn = ({ group, on }: { group: string; on: boolean }) =>
    unwrap(client.POST("/billing/renewals/{group}/reminders", { params: { path: { group } }, body: { wanted: on } }));
  return useMutation({ mutationFn, onSuccess: () => queries.invalidateQueries({ queryKey: ["status"] }) }, queries);
}

type Step = Schemas["TrackEvent"];

/** Counts a step of the funnel, without any identity; a count that is lost is no harm. */
export function useTrack(): (step: Step) => void {
  const { client } = useBilling();
  return useCallback((step) => void client.POST("/billing/track", { body: step }).catch(() => undefined), [client]);
}

/** Opens the provider's own pages (payment method, invoices) in this tab. */
export function useProviderPortal() {
  const { client } = useBilling();
  const mutationFn = () => unwrap(client.POST("/billing/portal-session"));
  const onSuccess = ({ url }: { url: string }) => globalThis.location.assign(url);
  return useMutation({ mutationFn, onSuccess }, useQueries());
}
