import { expect, test, vi } from "vitest";
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

test.each([
  ["GET", 20_000],
  ["POST", 35_000],
] as const)("a %s that hangs is one that never arrived", async (method, patience) => {
  const silence = new AbortController();
  const timeout = vi.spyOn(AbortSignal, "timeout").mockReturnValue(silence.signal);
  const hanging: typeof globalThis.fetch = (request) =>
    new Promise((_, reject) => {
      const { signal } = request as Request;
      signal.addEventListener("abort", () => reject(signal.reason as Error));
      silence.abort(new DOMException("", "TimeoutError"));
    });
  const hung = client(hanging);
  const call = method === "GET" ? unwrap(hung.GET("/billing/plans")) : unwrap(hung.POST("/auth/nostr", { body: {} }));
  await expect(call).rejects.toMatchObject({ status: 0, code: "network", retryable: true });
  expect(timeout).toHaveBeenCalledWith(patience);
  timeout.mockRestore();
});

test("a table that is asked for as text comes as it is, and a refusal of it says why", async () => {
  const table = (status: number, body: string) => unwrap(client(async () => new Response(body, { status })).GET("/admin/audit", { parseAs: "text" }));
  expect(await table(200, "at,actor\r\n1,a\r\n")).toBe("at,actor\r\n1,a\r\n");
  await expect(table(403, '{"code":"role_needed"}')).rejects.toMatchObject({ status: 403, code: "role_needed" });
});

test("parts of the path are escaped, what is not given is not asked, and a body is JSON", async () => {
  const seen: Request[] = [];
  const fetch: typeof globalThis.fetch = async (request) => {
    seen.push(request as Request);
    return answer(200, {})();
  };
  await client(fetch).GET("/billing/entitlements/{feature}", { params: { path: { feature: "a/b c" } } });
  await client(fetch).GET("/admin/users", { params: { query: { q: "x&y", limit: undefined } as { q: string } } });
  await client(fetch).POST("/auth/nostr", { body: {}, headers: { Authorization: "Nostr abc" } });
  expect(seen.map(({ url }) => url.replace("http://api.test", ""))).toEqual([
    "/billing/entitlements/a%2Fb%20c",
    "/admin/users?q=x%26y",
    "/auth/nostr",
  ]);
  expect([seen[2]?.headers.get("authorization"), await seen[2]?.json()]).toEqual(["Nostr abc", {}]);
});

test("what answers without JSON in the service's place is no answer", async () => {
  const page = async () => new Response("<html>", { status: 200 });
  await expect(unwrap(client(page).GET("/billing/plans"))).rejects.toMatchObject({ code: "network" });
  const failing = async () => new Response("<html>", { status: 502 });
  await expect(unwrap(client(failing).GET("/billing/plans"))).rejects.toMatchObject({ status: 502, code: "unexpected_answer" });
});

test("an answer without a body is one", async () => {
  expect(await unwrap(client(async () => new Response(null, { status: 204 })).POST("/auth/nostr", { body: {} }))).toBeUndefined();
});
