// @vitest-environment happy-dom
import { act, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";
import { Protected } from "./protected.js";
import { useEntitlements } from "./provider.js";
import { catalogue, entitlements, invoice, invoiceState, quotes } from "./testing/fixtures.js";
import { expectAccessible, refuse, service, show } from "./testing/server.js";

const api = service();
const gate = (
  <Protected feature="ai.chat" fallback={<p>locked</p>} loading={<p>loading</p>}>
    <p>the chat</p>
  </Protected>
);

test("shows the loading slot until the first answer, then what is open", async () => {
  api.answers({ "GET /billing/entitlements": entitlements({ feature: "ai.chat" }) });
  show(gate);
  expect(screen.getByText("loading")).toBeTruthy();
  expect(await screen.findByText("the chat")).toBeTruthy();
});

test.each([
  ["it is not granted", entitlements({ feature: "other" })],
  ["it has expired", entitlements({ expires_at: "2020-01-01T00:00:00Z" })],
  ["its allowance is used up", entitlements({ value: { limit: 5, per: "month" }, remaining: 0 })],
  ["it is switched off", entitlements({ value: false })],
])("shows the locked slot when %s", async (_, list) => {
  api.answers({ "GET /billing/entitlements": list });
  show(gate);
  expect(await screen.findByText("locked")).toBeTruthy();
});

test("nobody is asked anything while signed out", async () => {
  show(gate, null);
  expect(await screen.findByText("locked")).toBeTruthy();
  expect(api.calls).toEqual([]);
});

test("a stranger who buys at the gate keeps the dialog while becoming known", async () => {
  const checkout = { checkout_id: "co_1", provider: "btcpay", url: "https://pay.test/1", expires_at: "2027-01-01T00:15:00Z", reused: false };
  api.answers({
    "GET /billing/plans": catalogue,
    "GET /billing/entitlements": entitlements(),
    "GET /billing/entitlements/:feature": () => refuse(402, "feature_locked", { scenario: "not_in_plan" }),
    "GET /billing/quotes": quotes(),
    "POST /billing/create-checkout-session": checkout,
    "GET /billing/checkout-sessions/:id/invoice": invoice(),
  });
  show(<Protected feature="tax.enhanced">the report</Protected>, null);
  await userEvent.click(await screen.findByRole("button", { name: "Unlock with Pro, $19 / month" }));
  await userEvent.click(screen.getByRole("radio", { name: /Bitcoin/ }));
  await userEvent.click(screen.getByRole("button", { name: "Continue to payment" }));
  expect(await screen.findByRole("dialog", { name: "Pay with bitcoin" })).toBeTruthy();
  expect(await screen.findByRole("timer")).toBeTruthy();
});

test("what was paid at the gate stays to be read, and then the gate is open", async () => {
  const checkout = { checkout_id: "co_1", provider: "btcpay", url: "https://pay.test/1", expires_at: "2027-01-01T00:15:00Z", reused: false };
  let opened = false;
  api.answers({
    "GET /billing/plans": catalogue,
    "GET /billing/entitlements": () => (opened ? entitlements({ feature: "tax.enhanced", value: true }) : entitlements()),
    "GET /billing/entitlements/:feature": () => refuse(402, "feature_locked", { scenario: "not_in_plan" }),
    "GET /billing/quotes": quotes(),
    "POST /billing/create-checkout-session": checkout,
    "GET /billing/checkout-sessions/:id/invoice": () => invoice({ invoice: invoiceState("paid", 1900), received_cents: 1900 }),
  });
  show(<Protected feature="tax.enhanced">the report</Protected>);
  await userEvent.click(await screen.findByRole("button", { name: "Unlock with Pro, $19 / month" }));
  await userEvent.click(await screen.findByRole("radio", { name: /Bitcoin/ }));
  opened = true;
  await userEvent.click(screen.getByRole("button", { name: "Continue to payment" }));
  expect(await screen.findByText("Your plan is open.")).toBeTruthy();
  act(() => void globalThis.dispatchEvent(new Event("online")));
  await new Promise((resolve) => setTimeout(resolve, 50));
  await userEvent.click(screen.getByRole("button", { name: "Done" }));
  expect(await screen.findByText("the report")).toBeTruthy();
});

test("many gates share one request", async () => {
  api.answers({ "GET /billing/entitlements": entitlements({ feature: "ai.chat" }) });
  show([1, 2, 3].map((n) => <div key={n}>{gate}</div>));
  await screen.findAllByText("the chat");
  expect(api.calls.length).toBe(1);
});

test("a refresh after buying opens the gate in place", async () => {
  let bought = false;
  api.answers({ "GET /billing/entitlements": () => (bought ? entitlements({ feature: "ai.chat" }) : entitlements()) });
  let refresh = async () => {};
  function Refresh() {
    ({ refresh } = useEntitlements());
    return null;
  }
  show([gate, <Refresh key="refresh" />]);
  await screen.findByText("locked");
  bought = true;
  await act(() => refresh());
  expect(screen.getByText("the chat")).toBeTruthy();
});

test("without a slot of its own, a card says what opens the feature", async () => {
  const offers = [{ plan_id: "pro-month", name: "Pro", price_cents: 1900, currency: "USD", interval: "month" }];
  api.answers({
    "GET /billing/entitlements": entitlements(),
    "GET /billing/plans": catalogue,
    "GET /billing/quotes": quotes(),
    "GET /billing/entitlements/:feature": () => refuse(402, "feature_locked", { scenario: "not_in_plan", offers }),
  });
  show(<Protected feature="tax.enhanced">report</Protected>);
  expect(await screen.findByRole("heading", { name: "Enhanced tax report is not in your plan" })).toBeTruthy();
  expect(await screen.findByRole("button", { name: "Unlock with Pro, $19 / month" })).toBeTruthy();
  expect(screen.queryByRole("button", { name: /Tax year/ })).toBeNull(); // The service did not offer it.
  await expectAccessible();
});

test("signed out, the card offers the smallest plan and what opens the feature once", async () => {
  api.answers({ "GET /billing/plans": catalogue });
  show(<Protected feature="tax.enhanced">report</Protected>, null);
  expect(await screen.findByRole("button", { name: "Unlock with Pro, $19 / month" })).toBeTruthy();
  expect(screen.getByRole("button", { name: "Or Tax year 2026, $49 once" })).toBeTruthy();
});

test("signed out, what the free plan has takes one click and no payment", async () => {
  api.answers({
    "GET /billing/plans": catalogue,
    "GET /billing/entitlements": entitlements({ feature: "wallets.max", value: 1 }),
    "GET /billing/entitlements/:feature": () => refuse(402, "feature_locked", { scenario: "not_in_plan" }),
    "GET /billing/quotes": quotes(),
  });
  show(<Protected feature="wallets.max">the wallet</Protected>, null);
  expect(await screen.findByRole("heading", { name: "Wallets: free to use" })).toBeTruthy();
  await expectAccessible();
  await userEvent.click(screen.getByRole("button", { name: "Start for free" }));
  expect(await screen.findByText("the wallet")).toBeTruthy();
});

test("whoever is known and has used up what is free is offered more", async () => {
  api.answers({
    "GET /billing/plans": catalogue,
    "GET /billing/entitlements": entitlements(),
    "GET /billing/entitlements/:feature": () => refuse(402, "feature_locked", { scenario: "limit_reached" }),
    "GET /billing/quotes": quotes(),
  });
  show(<Protected feature="wallets.max">the wallet</Protected>);
  expect(await screen.findByRole("button", { name: "Unlock with Plus, $9 / month" })).toBeTruthy();
  expect(screen.queryByRole("button", { name: "Start for free" })).toBeNull();
});

test("after a failed payment the card says so and leads to the way out", async () => {
  api.answers({
    "GET /billing/entitlements": entitlements(),
    "GET /billing/plans": catalogue,
    "GET /billing/quotes": quotes(),
    "GET /billing/entitlements/:feature": () => refuse(402, "feature_locked", { scenario: "payment_failed", offers: [] }),
  });
  show(<Protected feature="tax.enhanced">report</Protected>);
  expect(await screen.findByText("The last payment did not go through.")).toBeTruthy();
  expect(screen.getByRole("link", { name: "Fix payment" })).toBeTruthy();
});
