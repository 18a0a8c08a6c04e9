// @vitest-environment happy-dom
import { expect, test } from "vitest";
import { withHost } from "./host-session.js";
import { sessionOf } from "./testing/server.js";

/** A host that gives these answers in turn, then 200; `told` is what it heard. */
function host(...statuses: number[]) {
  const told: string[] = [];
  const fetch = (url: string, { method, body }: RequestInit) => {
    told.push([method, url, body].filter(Boolean).join(" "));
    return Promise.resolve(new Response("{}", { status: statuses.shift() ?? 200 }));
  };
  return { told, fetch: fetch as typeof globalThis.fetch };
}

const TOLD = 'POST /session {"session_token":"token"}';

test("the host has the token before whoever asked for it, once, however many ask", async () => {
  const { told, fetch } = host();
  const session = withHost(sessionOf("usr_1"), "/session", fetch);
  const [one, two] = await Promise.all([session.token(), session.token()]);
  expect([one, two, await session.token()]).toEqual(["token", "token", "token"]);
  expect(told).toEqual([TOLD]);
});

test("a host that could not be told is told with the next call, and keeps nobody from the service", async () => {
  const { told, fetch } = host(503);
  const session = withHost(sessionOf("usr_1"), "/session", fetch);
  expect(await session.token()).toBe("token");
  expect(await session.token()).toBe("token");
  expect(told).toEqual([TOLD, TOLD]);
});

test("strangers cost the host nothing; who signs in and out is told to it", async () => {
  const { told, fetch } = host();
  const session = withHost(sessionOf(null), "/session", fetch);
  expect(await session.token()).toBeNull();
  expect(told).toEqual([]);
  session.adopt("token");
  await session.token();
  session.signOut();
  expect(await session.token()).toBeNull();
  expect(told).toEqual([TOLD, "DELETE /session"]);
});

test("who signs out while the host is being told is forgotten by it all the same", async () => {
  const { told, fetch } = host();
  const session = withHost(sessionOf("usr_1"), "/session", fetch);
  const asked = session.token();
  session.signOut();
  await asked;
  expect(told.at(-1)).toBe("DELETE /session");
  expect(told).toContain(TOLD);
});
