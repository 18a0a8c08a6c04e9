"use client";

import { unwrap, type Schemas } from "@bitsleuth/billing-api-client";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useBilling, useUserId } from "../provider.js";
import { useQueries, useRefreshAll } from "../queries.js";

export type Wallet = Schemas["WalletView"];

/** The wallets that renew. While one is being asked, the answer is looked for. */
export function useWallets() {
  const { client } = useBilling();
  const userId = useUserId();
  const queryFn = () => unwrap(client.GET("/billing/wallet"));
  const underWay = (wallets: readonly Wallet[] = []) => wallets.some(({ state }) => state === "under_way");
  return useQuery(
    {
      queryKey: ["wallet", userId],
      queryFn,
      enabled: userId !== null,
      refetchInterval: ({ state }) => (underWay(state.data?.wallets) ? 15_000 : false),
    },
    useQueries(),
  );
}

/** Everything that can be done with one; what it changed is read again. */
export function useWalletCalls(group: string) {
  const { client } = useBilling();
  const queries = useQueries();
  const refreshAll = useRefreshAll();
  const params = { path: { group } };
  const onSuccess = async () => {
    await Promise.all([queries.invalidateQueries({ queryKey: ["wallet"] }), refreshAll()]);
  };
  const connect = useMutation(
    { mutationFn: (body: Schemas["ConnectWallet"]) => unwrap(client.POST("/billing/wallet", { body })), onSuccess },
    queries,
  );
  const test = useMutation(
    { mutationFn: () => unwrap(client.POST("/billing/wallet/{group}/test", { params })), onSuccess },
    queries,
  );
  const set = useMutation(
    {
      mutationFn: (body: Schemas["SetWallet"]) => unwrap(client.PUT("/billing/wallet/{group}", { params, body })),
      onSuccess,
    },
    queries,
  );
  const remove = useMutation(
    { mutationFn: () => unwrap(client.DELETE("/billing/wallet/{group}", { params })), onSuccess },
    queries,
  );
  return { connect, test, set, remove };
}
