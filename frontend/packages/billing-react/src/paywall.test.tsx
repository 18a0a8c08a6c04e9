// @vitest-environment happy-dom
import { act, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { paywallProblem, unavailableProblem } from "@bitsleuth/entitlements";
import { useEffect } from "react";
import { expect, test, vi } from "vitest";
import { withHost } from "./host-session.js";
import { usePaywall, type Paywall } from "./paywall.js";
import { catalogue, entitlements, status } from "./testing/fixtures.js";
import { refuse, service, sessionOf, show } from "./testing/server.js";

const api = service();
const problem = paywallProblem("tax.enhanced", "not_in_plan", "/pricing");
const refusal = () => Response.json(problem, { status: 402 });

let paywall: Paywall;
function Host() {
  const made = usePaywall();
  useEffect(() => {
    paywall = made;
  });
  return made.dialog;
}

function answers(...held: Parameters<typeof entitlements>) {
  api.answers({
    "GET /billing/plans": catalogue,
    "GET /billing/entitlements": entitlements(...held),
    "GET /billing/subscription-status": status(),
    "GET /billing/entitlements/:feature": () => refuse(402, "feature_locked", { scenario: "not_in_plan" }),
  });
}

/** Signed in, with a host that takes the session; `told` counts how often. */
function known() {
  const told: string[] = [];
  const host = (url: string, { method }: RequestInit) => {
    told.push(`${String(method)} ${url}`);
    return Promise.resolve(new Response("{}"));
  };
  const session = withHost(sessionOf("usr_1"), "/session", host as typeof globalThis.fetch);
  show(<Host />, null, { session });
  return told;
}

test.each([
  ["an action's data", { ok: true, data: "insight" }, "insight"],
  ["anything else as it is", { ok: false, why: "mine" }, { ok: false, why: "mine" }],
  ["a text", "report", "report"],
])("gives %s", async (_, made, given) => {
  answers();
  show(<Host />, null);
  expect(await act(() => paywall.run(() => Promise.resolve<unknown>(made)))).toEqual(given);
});

test.each([
  ["a route's answer", () => Promise.resolve(refusal())],
  ["an action's result", () => Promise.resolve({ ok: false as const, error: problem })],
  ["a thrown document", () => Promise.reject(problem)],
  ["a thrown message", () => Promise.reject(new Error(`Server returned: 402: ${JSON.stringify(problem)}`))],
])("shows what opens it for %s, with the focus on the main action", async (_, call: () => Promise<unknown>) => {
  answers();
  show(<Host />, null);
  expect(await act(() => paywall.run(call))).toBeNull();
  const main = await screen.findByRole("button", { name: "Unlock with Pro, $19 / month" });
  await vi.waitFor(() => expect(document.activeElement).toBe(main));
  await userEvent.click(screen.getByRole("button", { name: "Close" }));
  expect(screen.queryByRole("dialog")).toBeNull();
});

test("says that it could not be checked, and nothing of a plan", async () => {
  answers();
  show(<Host />, null);
  expect(await act(() => paywall.run(() => Promise.resolve({ ok: false as const, error: unavailableProblem })))).toBeNull();
  expect(await screen.findByRole("dialog", { name: "This could not be checked" })).toBeTruthy();
});

test("shows nothing for a quiet call, and passes other errors on", async () => {
  answers();
  show(<Host />, null);
  expect(await act(() => paywall.run(() => Promise.resolve(refusal()), { quiet: true }))).toBeNull();
  expect(screen.queryByRole("dialog")).toBeNull();
  await expect(paywall.run(() => Promise.reject(new Error("boom")))).rejects.toThrow("boom");
});

test("calls when the host's servers know who is asking, not before", async () => {
  answers();
  const told = known();
  const call = vi.fn(() => Promise.resolve(told.length));
  expect(await act(() => paywall.run(call))).toBe(1);
});

test("tells the host again and tries once more before it believes a no that the service does not know of", async () => {
  answers({ feature: "tax.enhanced" });
  const told = known();
  const call = vi.fn(() => Promise.resolve<unknown>("report")).mockResolvedValueOnce(refusal());
  expect(await act(() => paywall.run(call))).toBe("report");
  expect([told.length, call.mock.calls.length]).toEqual([2, 2]);
});

test("does not try again what the service says is locked", async () => {
  answers();
  known();
  const call = vi.fn(() => Promise.resolve(refusal()));
  expect(await act(() => paywall.run(call))).toBeNull();
  expect(call).toHaveBeenCalledTimes(1);
});
