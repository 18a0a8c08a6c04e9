import { unwrap, type Schemas } from "@bitsleuth/billing-api-client";
import { useBilling, useQueries, useUserId } from "@bitsleuth/billing-react";
import { useQuery } from "@tanstack/react-query";

export type Caller = Schemas["Caller"];

/** Who is signed in, by the service's word: their role, and the admin's calls that it may make. */
export function useCaller({ enabled = true } = {}) {
  const { client } = useBilling();
  const userId = useUserId();
  const queryFn = () => unwrap(client.GET("/auth/me"));
  return useQuery({ queryKey: ["caller", userId], queryFn, enabled: enabled && userId !== null }, useQueries());
}

/** Whether somebody who works here is signed in. Who signed in with a buyer's key is asked only on the admin's pages. */
export function useWorksHere(): boolean {
  const { session } = useBilling();
  const caller = useCaller({ enabled: useUserId() !== null && !session.signedInWith });
  return Boolean(caller.data?.role);
}
