// @vitest-environment happy-dom
import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import type { ReactElement } from "react";
import { expect, test } from "vitest";
import { BillingPage } from "./components/BillingPage.js";
import { ChangePlanDialog } from "./components/dialogs.js";
import { SellerLinks } from "./components/SellerLinks.js";
import { catalogue, config, entitlements, quotes, receipt, status } from "./testing/fixtures.js";
import { expectAccessible, refuse, service, show, type Answer } from "./testing/server.js";
import Vouchers from "./vouchers/Vouchers.js";

const api = service();
const renewal = { group: "main", plan_id: "plus-month", provider: "btcpay", ends_at: "2027-01-31T12:00:00Z", reminders: true, by_wallet: null };
const known: Record<string, Answer> = {
  "GET /billing/plans": catalogue,
  "GET /billing/quotes": quotes({ "pro-month": { move: "upgrade" } }),
  "GET /billing/entitlements": entitlements({ feature: "ai.chat", remaining: 40, value: { limit: 100, per: "month" } }),
  "GET /billing/receipts": { receipts: [] },
  "GET /billing/subscription-status": status({ renewals: [renewal] }),
  "GET /billing/messages": { available: true, default_days: [7, 1], on: null, asked_until: null },
  "GET /billing/wallet": { available: true, days_before: 3, last_sat: null, wallets: [] },
};
const page = <BillingPage />;

test.each<[string, string, ReactElement, string]>([
  ["the messages", "GET /billing/messages", page, "Be reminded by message"],
  ["the calendar", "GET /billing/calendar", page, "Make a feed"],
  ["the wallets", "GET /billing/wallet", page, "Connect a wallet"],
  ["the plans to change to", "GET /billing/quotes", <ChangePlanDialog key="d" onClose={() => {}} />, "See what changes"],
])("where %s cannot be read, that is said, and asked again", async (_, call, shown, there) => {
  let back = false;
  const answer = known[call] ?? { feed: null };
  api.answers({ ...known, [call]: () => (back ? (typeof answer === "function" ? answer() : answer) : refuse(409, "busy")) as never });
  show(shown);
  const again = await screen.findByRole("button", { name: "Try again" });
  expect(screen.queryByRole("button", { name: there })).toBeNull();
  await expectAccessible();
  back = true;
  await userEvent.click(again);
  expect(await screen.findByRole("button", { name: there })).toBeTruthy();
  expect(screen.queryByRole("button", { name: "Try again" })).toBeNull();
});

test("where what may be used cannot be read, that is said in its place", async () => {
  let back = false;
  api.answers({ ...known, "GET /billing/entitlements": () => (back ? (known["GET /billing/entitlements"] as never) : (refuse(503, "internal") as never)) });
  show(page);
  const section = within(await screen.findByRole("region", { name: "Usage" }));
  back = true;
  await userEvent.click(section.getByRole("button", { name: "Try again" }));
  await waitFor(() => expect(screen.queryByRole("button", { name: "Try again" })).toBeNull());
  expect(await screen.findByRole("progressbar")).toBeTruthy();
});

test("what was redeemed is not passed over on the page of vouchers", async () => {
  api.answers({ ...known, "GET /billing/subscription-status": () => refuse(409, "busy") as never });
  show(<Vouchers />);
  expect(await screen.findByRole("button", { name: "Try again" })).toBeTruthy();
});

test("the seller's terms are not passed over", async () => {
  let back = false;
  api.answers({ "GET /billing/entitlements": entitlements(), "GET /billing/config": () => (back ? config : (refuse(409, "busy") as never)) as never });
  show(<SellerLinks />);
  expect(await screen.findByText(/could not be loaded/)).toBeTruthy();
  back = true;
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  await waitFor(() => expect(screen.queryByText(/could not be loaded/)).toBeNull());
});

test("a receipt is not said to be paid by card as long as that is not known", async () => {
  api.answers({ ...known, "GET /billing/plans": () => refuse(409, "busy") as never, "GET /billing/receipts": { receipts: [receipt({ provider: "btcpay" })] } });
  show(page);
  const receipts = within(await screen.findByRole("region", { name: "Receipts" }));
  expect(await receipts.findByText(/btcpay/)).toBeTruthy();
  expect(receipts.queryByText(/Card/)).toBeNull();
});
