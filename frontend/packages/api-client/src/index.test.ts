import { expect, test } from "vitest";
import { ApiError, createBillingClient, unwrap } from "./index.js";

const answer = (status: number, body: unknown) => async () =>
  new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json" } });
const client = (fetch: typeof globalThis.fetch, token?: () => string | null) =>
  createBillingClient({ baseUrl: "http://api.test", fetch, ...(token ? { token } : {}) });

test("a call carries the caller's token", async () => {
  const seen: (string | null)[] = [];
  const fetch: typeof globalThis.fetch = async (request) => {
    seen.push((request as Request).headers.get("authorization"));
    return answer(200, { plans: [], features: [] })();
  };
  await unwrap(client(fetch, () => "abc").GET("/billing/plans"));
  await unwrap(client(fetch, () => null).GET("/billing/plans"));
  expect(seen).toEqual(["Bearer abc", null]);
});

test("a problem document becomes an error with its code and members", async () => {
  const problem = { status: 402, code: "feature_locked", detail: "Not in your plan.", feature: "ai.chat" };
  const call = unwrap(client(answer(402, problem)).GET("/billing/plans"));
  await expect(call).rejects.toMatchObject({ status: 402, code: "feature_locked", retryable: false, problem });
});

test("an unreachable service is a retryable error, not a crash", async () => {
  const call = unwrap(client(() => Promise.reject(new TypeError("offline"))).GET("/billing/plans"));
  await expect(call).rejects.toBeInstanceOf(ApiError);
  await expect(call).rejects.toMatchObject({ status: 0, code: "network", retryable: true });
});
