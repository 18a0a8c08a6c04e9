import { unwrap, type Schemas } from "@bitsleuth/billing-api-client";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useBilling, useUserId } from "../provider.js";
import { useQueries, useRefreshAll } from "../queries.js";

export type Gift = Schemas["GiftView"];
export type Given = Schemas["VoucherGiven"];

export function useGifts() {
  const { client } = useBilling();
  const userId = useUserId();
  const queryFn = () => unwrap(client.GET("/billing/gifts"));
  return useQuery({ queryKey: ["gifts", userId], queryFn, enabled: userId !== null, staleTime: 0 }, useQueries());
}

export function usePreviewVoucher() {
  const { client } = useBilling();
  return useMutation({ mutationFn: (code: string) => unwrap(client.POST("/billing/vouchers/preview", { body: { code } })) }, useQueries());
}

export function useRedeemVoucher() {
  const { client } = useBilling();
  const refreshAll = useRefreshAll();
  const mutationFn = (code: string) => unwrap(client.POST("/billing/vouchers/redeem", { body: { code } }));
  return useMutation({ mutationFn, onSuccess: refreshAll }, useQueries());
}
