// @vitest-environment happy-dom
import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";
import { BillingPage } from "./components/BillingPage.js";
import { catalogue, entitlements, subscribed, subscription } from "./testing/fixtures.js";
import { expectAccessible, refuse, service, show } from "./testing/server.js";

const api = service();
const account = (now: () => unknown, over: Record<string, never> | Record<string, () => never> = {}) =>
  api.answers({
    "GET /billing/plans": catalogue,
    "GET /billing/subscription-status": now as () => never,
    "GET /billing/entitlements": entitlements({ value: { limit: 200, per: "month" }, remaining: 20, resets_at: "2027-02-01T12:00:00Z" }),
    "GET /billing/receipts": {
      receipts: [
        { provider: "stripe", payment_id: "pi_1", paid_at: "2026-12-15T12:00:00Z", amount_cents: 900, refunded_cents: 0, currency: "USD", status: "paid", plan_id: "plus-month", url: "https://receipt.test" },
        { provider: "btcpay", payment_id: "inv_9", paid_at: "2026-11-15T12:00:00Z", amount_cents: 500, refunded_cents: 500, currency: "JPY", status: "refunded", plan_id: null, url: null },
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
  expect(rows.map((row) => row.textContent)).toContain("Nov 15, 2026Paid with Bitcoin¥500Refunded");
  await expectAccessible();
});

test("cancelling names the day and the losses, sends the reason, and can be taken back", async () => {
  let current = subscribed();
  const cancelled = subscribed({ cancel_at: subscription.current_period_end, next_billing_at: null });
  account(() => current, {
    "POST /billing/subscription/cancel": (() => (current = cancelled)) as () => never,
    "POST /billing/subscription/resume": (() => (current = subscribed())) as () => never,
  });
  show(<BillingPage />);
  await userEvent.click(await screen.findByRole("button", { name: "Cancel plan" }));
  const dialog = within(screen.getByRole("dialog", { name: "Cancel Plus?" }));
  expect(dialog.getByText(/You keep everything until January 15, 2027/)).toBeTruthy();
  expect(dialog.getByText("After that you lose: AI chat.")).toBeTruthy();
  await userEvent.selectOptions(dialog.getByRole("combobox"), "unused");
  await userEvent.click(dialog.getByRole("button", { name: "Cancel plan" }));
  expect(await screen.findByText("Ends on January 15, 2027. Nothing more will be charged.")).toBeTruthy();
  expect(screen.queryByRole("dialog")).toBeNull();
  expect(api.calls.find(({ call }) => call.endsWith("/cancel"))?.body).toEqual({ at_period_end: true, reason: "unused" });
  await userEvent.click(screen.getByRole("button", { name: "Keep Plus" }));
  expect(await screen.findByText("Renews for $9.00 on January 15, 2027.")).toBeTruthy();
});

const preview = {
  preview_id: "preview-1",
  plan_id: "pro-month",
  kind: "upgrade",
  at_period_end: false,
  amount_due_cents: 850,
  credit_cents: 450,
  currency: "USD",
  next_amount_cents: 1900,
  next_billing_at: "2027-01-15T12:00:00Z",
  effective_at: "2026-12-20T12:00:00Z",
  features_gained: ["tax.enhanced"],
  features_lost: [],
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
  expect(screen.getByText("You gain: Enhanced tax report.")).toBeTruthy();
  expect((confirm as HTMLButtonElement).disabled).toBe(true);
  await expectAccessible();
  await userEvent.click(screen.getByRole("checkbox", { name: "I agree to be charged $8.50 now." }));
  await userEvent.click(confirm);
  expect(api.calls.find(({ call }) => call.endsWith("/change"))?.body).toEqual({ preview_id: "preview-1" });
});

test("a failed payment says until when features stay and leads to the way out", async () => {
  const payment_problem = {
    since: "2027-01-15T12:00:00Z",
    attempt_count: 1,
    next_attempt_at: "2027-01-18T12:00:00Z",
    action_required: false,
    access_until: "2027-01-22T12:00:00Z",
  };
  account(() => subscribed({ status: "past_due", payment_problem }), {
    "POST /billing/portal-session": () => refuse(503, "provider_unavailable") as never,
  });
  show(<BillingPage />);
  const alert = await screen.findByRole("alert");
  expect(alert.textContent).toContain("You keep your features until January 22, 2027. We try again on January 18, 2027.");
  await userEvent.click(within(alert).getByRole("button", { name: "Fix payment" }));
  expect(await within(alert).findByText(/did not answer/)).toBeTruthy();
});

test("signed out, the page asks to sign in and calls nothing", async () => {
  show(<BillingPage />, null);
  expect(screen.getByRole("heading", { name: "Sign in" })).toBeTruthy();
  expect(api.calls).toEqual([]);
  await expectAccessible();
});
