// @vitest-environment happy-dom
import { act, fireEvent, screen, waitFor } from "@testing-library/react";
import { expect, test } from "vitest";
import { BillingPage } from "../components/BillingPage.js";
import { catalogue, entitlements, quotes, status } from "../testing/fixtures.js";
import { expectAccessible, service, show } from "../testing/server.js";
import type { End } from "./ends.js";
import { RenewalNotice } from "./RenewalNotice.js";

const api = service();
const end = (over: Partial<End> = {}): End => ({
  id: "end-1",
  kind: "prepaid",
  plan_id: "plus-month",
  plan_name: "Plus",
  interval: "month",
  ends_at: "2026-12-25T12:00:00Z",
  notice_from: "2026-12-18T12:00:00Z",
  act: "renew",
  due_at: null,
  amount_cents: 900,
  currency: "USD",
  group: "main",
  ...over,
});

function told(...ends: End[]) {
  api.answers({ "GET /billing/entitlements": entitlements({}), "GET /billing/subscription-status": status({ ends }) });
}

const region = () => screen.getByRole("status");
const asked = () => api.calls.filter(({ call }) => call.endsWith("/subscription-status")).length;

test("what ends is said in time, with what to do and where", async () => {
  told(end());
  show(<RenewalNotice />);
  expect(await screen.findByText("Plus, paid ahead, ends on December 25, 2026")).toBeTruthy();
  expect(screen.getByText("Nothing renews by itself. Go on for $9.00.")).toBeTruthy();
  expect(screen.getByRole("link", { name: "Renew" }).getAttribute("href")).toBe("/account/billing");
  expect(region().textContent).toContain("Plus");
  await expectAccessible();
});

test.each([
  [{ act: "wallet_pays", due_at: "2026-12-22T12:00:00Z" }, "Nothing to do: your connected wallet is asked for $9.00 on December 22, 2026."],
  [{ act: "wallet_pays" }, "Nothing to do: your connected wallet is being asked for $9.00."],
  [{ act: "wallet_trouble" }, "Your connected wallet has not paid, or cannot. See why, or pay $9.00 by hand."],
  [{ kind: "trial", act: "charged", group: null }, "$9.00 is charged then. Nothing to do, unless you want to cancel before."],
  [{ kind: "trial", act: "charged", group: null, amount_cents: null }, "It is charged then. Nothing to do, unless you want to cancel before."],
  [{ kind: "subscription", act: "resume", group: null }, "You cancelled it, and nothing more is charged. Until then you can take that back."],
  [{ kind: "subscription", act: "fix_payment", group: null }, "A payment failed. Pay it until then, and nothing closes."],
  [{ kind: "voucher", act: "buy", group: null }, "Nothing renews by itself. You can buy what you need next at any time."],
  [{ kind: "purchase", act: "none", group: null, amount_cents: null }, "Nothing renews by itself."],
] as [Partial<End>, string][])("each thing to do has its words: %j", async (over, words) => {
  told(end(over));
  show(<RenewalNotice />);
  expect(await screen.findByText(words)).toBeTruthy();
  expect(region().textContent).not.toContain("{");
});

test.each([
  ["de", "Plus, im Voraus bezahlt, endet am 25. Dezember 2026"],
  ["es", "Plus, pagado por adelantado, termina el 25 de diciembre de 2026"],
])("in %s", async (locale, words) => {
  told(end());
  show(<RenewalNotice />, "usr_1", { locale });
  expect(await screen.findByText(words)).toBeTruthy();
});

test("not before it is time by the service's clock, unless the host wants it earlier", async () => {
  told(end({ notice_from: "2026-12-21T12:00:00Z" }));
  const { unmount } = show(<RenewalNotice />);
  await waitFor(() => expect(asked()).toBe(1));
  await act(async () => {});
  expect(region().textContent).toBe("");
  unmount();
  show(<RenewalNotice days={5} />);
  expect(await screen.findByText(/^Plus, paid ahead/)).toBeTruthy();
});

test("put away it stays away, with the keyboard's place kept; a new end, or another thing to do, shows it again", async () => {
  told(end());
  const first = show(<RenewalNotice />);
  fireEvent.click(await screen.findByRole("button", { name: /^Put away: Plus/ }));
  expect(region().textContent).toBe("");
  expect(document.activeElement).toBe(region());
  first.unmount();
  told(end(), end({ id: "end-2", ends_at: "2026-12-26T12:00:00Z" }), end({ id: "end-3", act: "wallet_trouble" }));
  show(<RenewalNotice />);
  expect(await screen.findByText("Plus, paid ahead, ends on December 26, 2026")).toBeTruthy();
  expect(screen.getAllByRole("button")).toHaveLength(2);
});

test("who has nothing but the free plan is not asked about, nor is nobody", async () => {
  const free = entitlements({ sources: [{ kind: "plan", id: "free", plan_id: "free", reason: "free", expires_at: null }] });
  api.answers({ "GET /billing/entitlements": free, "GET /billing/subscription-status": status({ ends: [end()] }) });
  const { unmount } = show(<RenewalNotice />);
  await waitFor(() => expect(api.calls.some(({ call }) => call === "GET /billing/entitlements")).toBe(true));
  await act(async () => {});
  unmount();
  show(<RenewalNotice />, null);
  await act(async () => {});
  expect(asked()).toBe(0);
  expect(region().textContent).toBe("");
});

test("a service that is away says nothing", async () => {
  api.answers({ "GET /billing/entitlements": entitlements({}), "GET /billing/subscription-status": () => new Response(null, { status: 503 }) });
  show(<RenewalNotice />);
  await waitFor(() => expect(asked()).toBeGreaterThan(0));
  await act(async () => {});
  expect(region().textContent).toBe("");
});

test("the billing page shows it by what it read already, and a failed payment in its own place alone", async () => {
  api.answers({
    "GET /billing/plans": catalogue,
    "GET /billing/quotes": quotes(),
    "GET /billing/entitlements": entitlements({}),
    "GET /billing/receipts": { receipts: [] },
    "GET /billing/subscription-status": status({ ends: [end(), end({ id: "end-2", kind: "subscription", act: "fix_payment" })] }),
  });
  show(<BillingPage />);
  const link = await screen.findByRole("link", { name: "Renew" });
  expect(link.getAttribute("href")).toBe("#bsb-prepaid-main");
  expect(screen.queryByText(/A payment failed/)).toBeNull();
  expect(asked()).toBe(1);
});
