import { unwrap, type Schemas } from "@bitsleuth/billing-api-client";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useBilling, useUserId } from "../provider.js";
import { useQueries, useRefreshAll } from "../queries.js";
import { noteHeld } from "../signers/kept-key.js";

export type Gift = Schemas["GiftView"];
export type Given = Schemas["VoucherGiven"];

/** `checkoutId`: asked for again until this one's voucher is there. */
export function useGifts(checkoutId?: string) {
  const { client } = useBilling();
  const userId = useUserId();
  const queryFn = () => unwrap(client.GET("/billing/gifts"));
  const there = (gifts: readonly Gift[] = []) => gifts.some((gift) => gift.checkout_id === checkoutId && gift.voucher !== null);
  return useQuery(
    {
      queryKey: ["gifts", userId],
      queryFn,
      enabled: userId !== null,
      staleTime: 0,
      refetchInterval: ({ state }) => (checkoutId !== undefined && !there(state.data?.gifts) ? 2_000 : false),
    },
    useQueries(),
  );
}

export function usePreviewVoucher() {
  const { client } = useBilling();
  return useMutation({ mutationFn: (code: string) => unwrap(client.POST("/billing/vouchers/preview", { body: { code } })) }, useQueries());
}

export function useRedeemVoucher() {
  const { client, session } = useBilling();
  const queries = useQueries();
  const refreshAll = useRefreshAll();
  const mutationFn = (code: string) => unwrap(client.POST("/billing/vouchers/redeem", { body: { code } }));
  const onSuccess = () => {
    noteHeld(session.userId);
    // It may have been a gift of one's own.
    return Promise.all([refreshAll(), queries.invalidateQueries({ queryKey: ["gifts"] })]);
  };
  return useMutation({ mutationFn, onSuccess }, queries);
}
