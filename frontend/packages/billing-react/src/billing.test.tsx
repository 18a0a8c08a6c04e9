import type { Schemas } from "@bitsleuth/billing-api-client";
// @vitest-environment happy-dom
import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";
import { BillingPage } from "./components/BillingPage.js";
import { catalogue, entitlements, nextly, quotes, receipt, status, subscribed, subscription } from "./testing/fixtures.js";
import { expectAccessible, refuse, service, show } from "./testing/server.js";

const api = service();
const account = (now: () => unknown, over: Record<string, never> | Record<string, () => never> = {}) =>
  api.answers({
    "GET /billing/plans": catalogue,
    "GET /billing/subscription-status": now as () => never,
    "GET /billing/quotes": quotes({ "plus-month": { move: "current", rails: [] }, "pro-month": { move: "upgrade", rails: [] }, "plus-year": { move: "switch", rails: [] } }),
    "GET /billing/entitlements": entitlements({ value: { limit: 200, per: "month" }, remaining: 20, resets_at: "2027-02-01T12:00:00Z" }),
    "GET /billing/receipts": {
      receipts: [
        receipt(),
        receipt({ provider: "btcpay", payment_id: "inv_9", paid_at: "2026-11-15T12:00:00Z", amount_cents: 500, refunded_cents: 500, currency: "JPY", status: "refunded", reason: "term", period_start: null, period_end: null, url: null }),
      ],
    },
    ...over,
  });

test("shows plan, next date, usage in words, and receipts of both rails in their own currency", async () => {
  account(() => subscribed());
  show(<BillingPage />);
  expect(await screen.findByText("Renews for $9.00 on January 15, 2027.")).toBeTruthy();
  expect(await screen.findByText("180 of 200 used")).toBeTruthy();
  expect(await screen.findByText(/Nearly used up\. Starts again on February 1, 2027\./)).toBeTruthy();
  const rows = within(await screen.findByRole("table")).getAllByRole("row");
  const texts = rows.map((row) => row.textContent?.replace(/[\u2009\u202f]/g, " "));
  expect(texts).toContain("Dec 15, 2026Plus, monthly · renewalDec 15, 2026 – Jan 15, 2027 · Paid with Card$9.00PaidReceipt Dec 15, 2026");
  expect(texts).toContain("Nov 15, 2026Plus, monthly · paid aheadPaid with Bitcoin¥500RefundedReceipt Nov 15, 2026");
  await expectAccessible();
});

test("a receipt has all that belongs on paper, and is what is printed", async () => {
  const bought = receipt({ provider: "btcpay", payment_id: "inv_9", amount_cents: 1071, refunded_cents: 71, reason: "term" });
  const bitcoin = { amount_btc: "0.00010710", rate_cents: 10_000_000, transactions: ["f".repeat(64)] };
  account(() => subscribed(), {
    "GET /billing/receipts": (() => ({ receipts: [bought] })) as unknown as () => never,
    "GET /billing/receipts/btcpay/inv_9": (() => ({ ...bought, seller: ["Shop Example Ltd", "Tax number EX 1"], user_id: "usr_1", net_cents: 900, tax_cents: 171, bitcoin })) as unknown as () => never,
  });
  show(<BillingPage />);
  await userEvent.click(await screen.findByRole("button", { name: /^Receipt/ }));
  const dialog = await screen.findByRole("dialog", { name: "Receipt" });
  const fact = async (name: string) => (await within(dialog).findByText(name)).nextElementSibling?.textContent;
  expect(await fact("Number")).toBe("20261215-0A1B2C3D");
  expect(await fact("For")).toBe("Plus, monthly · paid ahead");
  expect([await fact("Net"), await fact("Tax"), await fact("Total"), await fact("Total after refunds")]).toEqual(["$9.00", "$1.71", "$10.71", "$10.00"]);
  expect([await fact("Amount"), await fact("Rate of one bitcoin"), await fact("Transaction")]).toEqual(["0.00010710 BTC", "$100,000.00", "f".repeat(64)]);
  expect(within(dialog).getByText("Shop Example Ltd")).toBeTruthy();
  expect(dialog.classList.contains("bsb-print")).toBe(true);
  await expectAccessible();
});

test("an allowance that runs beside another counts into the same meter", async () => {
  const beside = entitlements({ value: { limit: 200, per: "month" }, also: [{ limit: 300, per: "billing_period" }], remaining: 450 });
  account(() => subscribed(), { "GET /billing/entitlements": beside as unknown as () => never });
  show(<BillingPage />);
  expect(await screen.findByText("50 of 500 used")).toBeTruthy();
});

test("cancelling names the day and the losses, sends the reason, and can be taken back", async () => {
  let current = subscribed();
  const end = subscription.current_period_end;
  const cancelled = nextly({ kind: "ends", at: end }, { cancel_at: end, access_until: end, actions: ["resume"], if_canceled: null });
  account(() => current, {
    "POST /billing/subscription/cancel": (() => (current = cancelled)) as () => never,
    "POST /billing/subscription/resume": (() => (current = subscribed())) as () => never,
  });
  show(<BillingPage />);
  await userEvent.click(await screen.findByRole("button", { name: "Cancel plan" }));
  const dialog = within(await screen.findByRole("dialog", { name: "Cancel Plus, monthly?" }));
  expect(dialog.getByText(/You keep everything until January 15, 2027/)).toBeTruthy();
  expect((await dialog.findByText("AI chat")).nextElementSibling?.textContent).toBe("200 per month becomes none");
  await userEvent.selectOptions(dialog.getByRole("combobox"), "unused");
  await userEvent.click(dialog.getByRole("button", { name: "Cancel plan" }));
  expect(await screen.findByText("Ends on January 15, 2027. Nothing more will be charged.")).toBeTruthy();
  expect(screen.queryByRole("dialog")).toBeNull();
  const said = await screen.findByText("Plus, monthly is cancelled and ends on January 15, 2027. Nothing more will be charged.");
  await waitFor(() => expect(document.activeElement?.contains(said)).toBe(true));
  expect(api.calls.find(({ call }) => call.endsWith("/cancel"))?.body).toEqual({ subscription_id: "sub_1", at_period_end: true, reason: "unused" });
  await userEvent.click(screen.getByRole("button", { name: "Keep Plus, monthly" }));
  expect(await screen.findByText("Renews for $9.00 on January 15, 2027.")).toBeTruthy();
});

test("a plan that ends with its cancellation takes its dialog with it, and what was done is said all the same", async () => {
  let current = subscribed();
  const over = { status: "canceled", ended_at: "2026-12-20T12:00:00Z", actions: ["resubscribe" as const], if_canceled: null };
  // Read again while what was pressed is gone already.
  const read = async () => {
    if (current.subscriptions[0]?.status === "canceled") await new Promise((go) => setTimeout(go, 30));
    return current;
  };
  account(read, { "POST /billing/subscription/cancel": (() => (current = subscribed(over))) as () => never });
  show(<BillingPage />);
  await userEvent.click(await screen.findByRole("button", { name: "Cancel plan" }));
  await userEvent.click(within(await screen.findByRole("dialog")).getByRole("button", { name: "Cancel plan" }));
  const said = await screen.findByText("Plus, monthly is cancelled and ends on December 20, 2026. Nothing more will be charged.");
  await waitFor(() => expect(document.activeElement?.contains(said)).toBe(true));
});

const preview = {
  preview_id: "preview-1",
  plan_id: "pro-month",
  kind: "upgrade",
  at_period_end: false,
  amount_due_cents: 850,
  credit_cents: 450,
  currency: "USD",
  tax_cents: 0,
  discount_cents: 0,
  next_amount_cents: 1900,
  next_tax_cents: 0,
  next_discount_cents: 0,
  next_billing_at: "2027-01-15T12:00:00Z",
  effective_at: "2026-12-20T12:00:00Z",
  features: [
    { feature: "ai.chat", before: { limit: 200, per: "month" }, after: { limit: 1000, per: "month" } },
    { feature: "tax.enhanced", before: null, after: true },
  ],
  expires_at: "2026-12-20T12:10:00Z",
};

test("an upgrade shows the amounts, asks for consent, and confirms exactly what was shown", async () => {
  account(() => subscribed(), {
    "POST /billing/subscription/preview-change": preview as never,
    "POST /billing/subscription/change": subscribed({ plan_id: "pro-month", plan_name: "Pro" }) as never,
  });
  show(<BillingPage />);
  await userEvent.click(await screen.findByRole("button", { name: "Change plan" }));
  await userEvent.click(await screen.findByRole("radio", { name: /Pro/ }));
  await userEvent.click(screen.getByRole("button", { name: "See what changes" }));
  const confirm = await screen.findByRole("button", { name: "Change now" });
  expect(screen.getByRole("dialog", { name: "Change to Pro, monthly" })).toBeTruthy();
  const changed = (feature: string) => within(screen.getByRole("dialog")).getByText(feature).nextElementSibling?.textContent;
  expect(changed("AI chat")).toBe("200 per month becomes 1,000 per month");
  expect(changed("Enhanced tax report")).toBe("none becomes included");
  expect((confirm as HTMLButtonElement).disabled).toBe(true);
  await expectAccessible();
  await userEvent.click(screen.getByRole("checkbox", { name: "I agree to be charged $8.50 now." }));
  await userEvent.click(confirm);
  expect(api.calls.find(({ call }) => call.endsWith("/change"))?.body).toEqual({ preview_id: "preview-1" });
  expect(await screen.findByText("You have Pro, monthly now. $8.50 was charged.")).toBeTruthy();
});

test("a failed payment says until when features stay and leads to the way out", async () => {
  const payment_problem = {
    since: "2027-01-15T12:00:00Z",
    attempt_count: 1,
    next_attempt_at: "2027-01-18T12:00:00Z",
    action_required: false,
    access_until: "2027-01-22T12:00:00Z",
  };
  const actions = ["fix_payment", "cancel"] as const;
  const retry = { kind: "retries", at: payment_problem.next_attempt_at } as const;
  account(() => nextly(retry, { status: "past_due", payment_problem, actions: [...actions] }), {
    "POST /billing/portal-session": () => refuse(503, "provider_unavailable") as never,
  });
  show(<BillingPage />);
  const alert = await screen.findByRole("alert");
  expect(alert.textContent).toContain("You keep your features until January 22, 2027.");
  expect(screen.getByText("$9.00 is due. We try again on January 18, 2027.")).toBeTruthy();
  expect(screen.queryByRole("button", { name: "Change plan" })).toBeNull();
  await userEvent.click(within(alert).getByRole("button", { name: "Fix payment" }));
  expect(await within(alert).findByText(/did not answer/)).toBeTruthy();
});

test("signed out, the page asks to sign in and calls nothing", async () => {
  show(<BillingPage />, null);
  expect(screen.getByRole("heading", { name: "Sign in" })).toBeTruthy();
  expect(api.calls).toEqual([]);
  await expectAccessible();
});

test("who owes and has cancelled reads one date, and of no further attempt", async () => {
  const until = "2027-01-22T12:00:00Z";
  const problem = { since: until, attempt_count: 1, next_attempt_at: null, action_required: false, access_until: until };
  const view = { status: "past_due", access_until: until, cancel_at: "2027-02-15T12:00:00Z", payment_problem: problem };
  account(() => nextly({ kind: "ends", at: until, amount_cents: null }, { ...view, actions: [], if_canceled: null }));
  show(<BillingPage />);
  expect(await screen.findByText("Ends on January 22, 2027. Nothing more will be charged.")).toBeTruthy();
  expect(screen.queryByRole("alert")).toBeNull();
  expect(document.body.textContent).not.toContain("February 15");
});

test.each([
  ["refunded", "Plus, monthly ended on December 14, 2026: it was refunded.", "Subscribe again"],
  ["unpaid", "Plus, monthly ended on December 14, 2026: it was not paid.", "Subscribe again"],
] as const)("what ended because it was %s says when and why", async (reason, text, way) => {
  const ended = { kind: "subscription", plan_id: "plus-month", plan_name: "Plus", interval: "month", ended_at: "2026-12-14T12:00:00Z", reason, renewable: null } as const;
  account(() => status({ ended }));
  show(<BillingPage />);
  expect(await screen.findByText(text)).toBeTruthy();
  expect(screen.getByRole("link", { name: way })).toBeTruthy();
});

test("prepaid time that ended is offered again in one click", async () => {
  const ended = { kind: "term", plan_id: "plus-month", plan_name: "Plus", interval: "month", ended_at: "2026-12-14T12:00:00Z", reason: "expired", renewable: "main" } as const;
  account(() => status({ ended }), { "POST /billing/renewals/:group/invoice": () => refuse(503, "provider_unavailable") as never });
  show(<BillingPage />);
  expect(await screen.findByText("Plus, monthly ended on December 14, 2026.")).toBeTruthy();
  await userEvent.click(screen.getByRole("button", { name: "Renew" }));
  expect((await screen.findByRole("alert")).textContent).toContain("did not answer");
});

test.each([
  ["voucher", null, "By a voucher", "Go on in bitcoin", "Plus, monthly until January 14, 2027. Nothing renews by itself."],
  ["btcpay", null, "Paid ahead in bitcoin", "Renew now", "Plus, monthly until January 14, 2027. Nothing renews by itself."],
  ["btcpay", "trouble", "Paid ahead in bitcoin", "Renew now", "Plus, monthly until January 14, 2027. Nothing renews by itself."],
  ["btcpay", "renews", "Paid ahead in bitcoin", "Renew now", "Plus, monthly until January 14, 2027."],
])("time that came from %s, its wallet %s, is called what it is, with the interval of its plan", async (provider, by_wallet, title, way, until) => {
  const renewal = { group: "main", plan_id: "plus-month", provider, ends_at: "2027-01-14T12:00:00Z", reminders: true, by_wallet } as Schemas["RenewalView"];
  account(() => status({ plan_id: "plus-month", plan_name: "Plus", access_until: renewal.ends_at, renewals: [renewal] }));
  show(<BillingPage />);
  const section = within(await screen.findByRole("region", { name: title }));
  expect(await section.findByText(until)).toBeTruthy();
  expect(section.getByRole("button", { name: way })).toBeTruthy();
  expect(screen.getByText("Yours until January 14, 2027.")).toBeTruthy();
});

test("a purchase that was begun is named with its amount and its end, and can be dismissed", async () => {
  const checkout = { checkout_id: "chk_1", provider: "stripe", url: "https://pay.test/1", plan_id: "pro-month", plan_name: "Pro", interval: "month", amount_cents: 1900, currency: "USD", expires_at: "2026-12-20T13:00:00Z" } as const;
  account(() => status({ checkout }));
  show(<BillingPage />);
  expect(await screen.findByText("You started to buy Pro, monthly")).toBeTruthy();
  expect(screen.getByText(/^\$19\.00, to be paid until Dec 20, 2026/)).toBeTruthy();
  await userEvent.click(screen.getByRole("button", { name: "Dismiss" }));
  expect(screen.queryByText("You started to buy Pro, monthly")).toBeNull();
});
