"use client";

import { unwrap, type Schemas } from "@bitsleuth/billing-api-client";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useBilling, useUserId } from "../provider.js";
import { useQueries } from "../queries.js";

export type MessageSettings = Schemas["MessageSettings"];
export type Outcome = Schemas["MessageSent"]["outcome"];
export type Chosen = Schemas["SetMessages"];

export function useMessages() {
  const { client } = useBilling();
  const userId = useUserId();
  const queryFn = () => unwrap(client.GET("/billing/messages"));
  return useQuery({ queryKey: ["messages", userId], queryFn, enabled: userId !== null }, useQueries());
}

/** Everything that can be done with them; what it changed is read again. */
export function useMessageCalls() {
  const { client } = useBilling();
  const queries = useQueries();
  const onSuccess = () => queries.invalidateQueries({ queryKey: ["messages"] });
  const ask = useMutation(
    {
      mutationFn: (body: Schemas["AskForMessages"]) => unwrap(client.POST("/billing/messages", { body })),
      onSuccess,
    },
    queries,
  );
  const confirm = useMutation(
    { mutationFn: (code: string) => unwrap(client.POST("/billing/messages/confirm", { body: { code } })), onSuccess },
    queries,
  );
  const test = useMutation({ mutationFn: () => unwrap(client.POST("/billing/messages/test")), onSuccess }, queries);
  const set = useMutation(
    { mutationFn: (body: Chosen) => unwrap(client.PUT("/billing/messages", { body })), onSuccess },
    queries,
  );
  const remove = useMutation({ mutationFn: () => unwrap(client.DELETE("/billing/messages")), onSuccess }, queries);
  return { ask, confirm, test, set, remove };
}
