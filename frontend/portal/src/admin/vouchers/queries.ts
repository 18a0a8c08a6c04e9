import { unwrap, type Client, type Schemas } from "@bitsleuth/billing-api-client";
import { useBilling, useQueries } from "@bitsleuth/billing-react";
import { useMutation, useQuery } from "@tanstack/react-query";

export type Batch = Schemas["VoucherBatch"];
export type BatchDetail = Schemas["VoucherBatchDetail"];
export type Codes = Schemas["VoucherCodes"];

function useVoucherQuery<T>(key: readonly string[], call: (client: Client) => Promise<T>) {
  const { client, session } = useBilling();
  return useQuery({ queryKey: ["admin", session.userId, "vouchers", ...key], queryFn: () => call(client) }, useQueries());
}

export const useBatches = () => useVoucherQuery([], (client) => unwrap(client.GET("/admin/vouchers")));

export const useBatch = (batch_id: string) =>
  useVoucherQuery([batch_id], (client) =>
    unwrap(client.GET("/admin/vouchers/{batch_id}", { params: { path: { batch_id } } })),
  );

function useVoucherCall<Body, T>(call: (client: Client, body: Body) => Promise<T>) {
  const { client, session } = useBilling();
  const queries = useQueries();
  const touched = ["vouchers", "audit"].map((key) => ["admin", session.userId, key]);
  const onSuccess = () => Promise.all(touched.map((queryKey) => queries.invalidateQueries({ queryKey })));
  return useMutation({ mutationFn: (body: Body) => call(client, body), onSuccess }, queries);
}

export const useMakeVouchers = () =>
  useVoucherCall((client, body: Schemas["MakeVouchers"]) => unwrap(client.POST("/admin/vouchers", { body })));

export const useCodes = (batch_id: string) =>
  useVoucherCall<undefined, Codes>((client) =>
    unwrap(client.POST("/admin/vouchers/{batch_id}/codes", { params: { path: { batch_id } } })),
  );

export const useRevokeVouchers = (batch_id: string) =>
  useVoucherCall((client, body: Schemas["RevokeVouchers"]) =>
    unwrap(client.POST("/admin/vouchers/{batch_id}/revoke", { params: { path: { batch_id } }, body })),
  );
