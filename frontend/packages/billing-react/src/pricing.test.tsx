// @vitest-environment happy-dom
import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { PricingTable } from "./components/PricingTable.js";
import { PurchaseDialog } from "./components/PurchaseDialog.js";
import { catalogue, entitlements, invoice, invoiceState, plans, quote, quotes, rail, status, subscribed } from "./testing/fixtures.js";
import { expectAccessible, refuse, service, show } from "./testing/server.js";

const api = service();
const free = { "GET /billing/plans": catalogue, "GET /billing/subscription-status": status(), "GET /billing/entitlements": entitlements(), "GET /billing/quotes": quotes() };
const card = async (name: string) => within(await screen.findByRole("article", { name }));

test("says what paying yearly saves, computed from the prices", async () => {
  api.answers(free);
  show(<PricingTable />, null);
  await userEvent.click(await screen.findByRole("radio", { name: "Yearly Save 16%" }));
  expect((await card("Plus")).getByText("$7.50")).toBeTruthy();
  expect((await card("Plus")).getByText(/^\$90 billed yearly/).textContent).toBe("$90 billed yearly, saves 16%");
  await expectAccessible();
});

test("points out the plan one has, and says which way the others go", async () => {
  const held = quotes({
    "plus-month": { move: "current", rails: [] },
    "pro-month": { move: "upgrade", rails: [] },
    "tax-2026": { included_in: "Plus" },
  });
  api.answers({ ...free, "GET /billing/subscription-status": subscribed(), "GET /billing/quotes": held });
  show(<PricingTable />);
  expect(await (await card("Plus")).findByText("Your plan")).toBeTruthy();
  expect((await card("Pro")).getByRole("button", { name: "Upgrade to Pro" })).toBeTruthy();
  expect((await card("Tax year 2026")).getByRole("button", { name: "Get Tax year 2026" })).toBeTruthy();
  expect((await card("Tax year 2026")).getByText("Your Plus has all of this already.")).toBeTruthy();
});

test("before the service has said what a plan means to its reader there is no button", async () => {
  let answer = () => {};
  const told = new Promise<void>((resolve) => (answer = resolve));
  api.answers({ ...free, "GET /billing/quotes": () => told.then(() => quotes({ "pro-month": { move: "downgrade" } })) });
  show(<PricingTable />);
  const pro = await card("Pro");
  expect(pro.queryByRole("button")).toBeNull();
  answer();
  expect(await pro.findByRole("button", { name: "Downgrade to Pro" })).toBeTruthy();
});

test("a change that would be refused is not offered", async () => {
  api.answers({ ...free, "GET /billing/quotes": quotes({ "pro-month": { move: "upgrade", blocked: "payment_open", rails: [] } }) });
  show(<PricingTable />);
  const pro = await card("Pro");
  expect(await pro.findByText("A payment is open. Settle it first.")).toBeTruthy();
  expect(pro.queryByRole("button")).toBeNull();
});

test("a failed catalogue can be asked for again", async () => {
  let broken = true;
  api.answers({ ...free, "GET /billing/plans": () => (broken ? refuse(409, "conflict") : catalogue) });
  show(<PricingTable />, null);
  expect((await screen.findByRole("alert")).textContent).toContain("This has changed.");
  broken = false;
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(await card("Pro")).toBeTruthy();
});

const session = { checkout_id: "co_1", provider: "stripe", url: "https://pay.test/1", expires_at: "2027-01-01T00:00:00Z", reused: false };

test("a stranger buys without an account: a key is made, then the checkout opens", async () => {
  api.answers({ ...free, "POST /billing/create-checkout-session": session });
  const leave = vi.fn();
  show(<PurchaseDialog plan={plans.pro} onClose={() => {}} onRedirect={leave} />, null);
  expect((await screen.findByText("Due today")).nextElementSibling?.textContent).toBe("$19.00");
  await expectAccessible();
  await userEvent.click(await screen.findByRole("button", { name: "Continue to payment" }));
  await waitFor(() => expect(leave).toHaveBeenCalledWith("https://pay.test/1"));
  const opened = api.calls.find(({ call }) => call.startsWith("POST"));
  expect(opened?.body).toEqual({ plan_id: "pro-month", provider: "stripe", quote_id: "quo_pro-month_stripe" });
});

const overlap = {
  kind: "prepaid", plan_id: "plus-month", plan_name: "Plus", interval: "month",
  price_cents: 900, currency: "USD", ends_at: "2027-01-15T12:00:00Z", renews: false,
} as const;

test("what would be paid twice is said first, and sold to those who want both", async () => {
  const held = quotes({ "pro-month": { rails: [rail(plans.pro, "stripe", { overlap })] } });
  api.answers({ ...free, "GET /billing/quotes": held, "POST /billing/create-checkout-session": session });
  const leave = vi.fn();
  show(<PurchaseDialog plan={plans.pro} onClose={() => {}} onRedirect={leave} />);
  expect((await screen.findByRole("alert")).textContent).toContain("paid ahead for Plus, monthly until January 15, 2027");
  expect(screen.getByRole<HTMLButtonElement>("button", { name: "Continue to payment" }).disabled).toBe(true);
  await expectAccessible();
  await userEvent.click(screen.getByLabelText("I know, and want both."));
  await userEvent.click(await screen.findByRole("button", { name: "Continue to payment" }));
  await waitFor(() => expect(leave).toHaveBeenCalledOnce());
  const asked = api.calls.find(({ call }) => call.endsWith("checkout-session"))?.body;
  expect(asked).toEqual({ plan_id: "pro-month", provider: "stripe", quote_id: "quo_pro-month_stripe", accept_overlap: true });
});

test("who turns out to have used the trial is shown the new terms, and asked again", async () => {
  const trial = { ...catalogue, quotes: [quote(plans.pro, { rails: [rail(plans.pro, "stripe", { trial_days: 7, due_now_cents: 0 })] })] };
  let opened = 0;
  api.answers({
    ...free,
    "GET /billing/plans": trial,
    "POST /billing/create-checkout-session": () => (opened++ === 0 ? refuse(409, "quote_outdated") : session),
  });
  const leave = vi.fn();
  show(<PurchaseDialog plan={plans.pro} onClose={() => {}} onRedirect={leave} />, null);
  expect((await screen.findByText("Due today")).nextElementSibling?.textContent).toBe("$0.00");
  await userEvent.click(await screen.findByRole("button", { name: "Continue to payment" }));
  expect((await screen.findByRole("alert")).textContent).toContain("The terms have changed");
  await waitFor(() => expect(screen.getByText("Due today").nextElementSibling?.textContent).toBe("$19.00"));
  expect(leave).not.toHaveBeenCalled();
  await userEvent.click(await screen.findByRole("button", { name: "Continue to payment" }));
  await waitFor(() => expect(leave).toHaveBeenCalledOnce());
});

test("who has a subscription already is led to it", async () => {
  api.answers({ ...free, "GET /billing/quotes": quotes({ "pro-month": { move: "current", rails: [] } }) });
  show(<PurchaseDialog plan={plans.pro} onClose={() => {}} accountUrl="/my/billing" />);
  expect((await screen.findByRole("link", { name: "Manage plan" })).getAttribute("href")).toBe("/my/billing");
  expect(screen.queryByRole("button", { name: "Continue to payment" })).toBeNull();
});

test("a dialog that was closed while the checkout opened leads nowhere", async () => {
  let answer = () => {};
  const opened = new Promise<void>((resolve) => (answer = resolve));
  api.answers({ ...free, "POST /billing/create-checkout-session": () => opened.then(() => session) });
  const leave = vi.fn();
  const { unmount } = show(<PurchaseDialog plan={plans.pro} onClose={() => {}} onRedirect={leave} />);
  await userEvent.click(await screen.findByRole("button", { name: "Continue to payment" }));
  unmount();
  answer();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(leave).not.toHaveBeenCalled();
});

test("a trial is due nothing today and names the day of the first charge", async () => {
  const held = quotes({ "pro-month": { rails: [rail(plans.pro, "stripe", { trial_days: 14, due_now_cents: 0, first_charge_at: "2027-01-03T12:00:00Z" })] } });
  api.answers({ ...free, "GET /billing/quotes": held });
  show(<PurchaseDialog plan={plans.pro} onClose={() => {}} />);
  expect((await screen.findByText("Due today")).nextElementSibling?.textContent).toBe("$0.00");
  expect(screen.getByText("First charge on January 3, 2027").nextElementSibling?.textContent).toBe("$19.00");
});

test("of several providers of one rail, which is a choice within it", async () => {
  const rails = [rail(plans.pro, "stripe"), rail(plans.pro, "btcpay"), rail(plans.pro, "btcpay", { provider: "bitpay", quote_id: "quo_bitpay" })];
  api.answers({ ...free, "GET /billing/quotes": quotes({ "pro-month": { rails } }) });
  show(<PurchaseDialog plan={plans.pro} onClose={() => {}} />);
  expect(await screen.findAllByRole("radio")).toHaveLength(2);
  await userEvent.click(screen.getByRole("radio", { name: /Bitcoin/ }));
  expect(screen.getByRole<HTMLInputElement>("radio", { name: /BTCPay/ }).checked).toBe(true);
  await userEvent.click(screen.getByRole("radio", { name: /BitPay/ }));
  await userEvent.click(screen.getByRole("radio", { name: /^Card/ }));
  await userEvent.click(screen.getByRole("radio", { name: /^Bitcoin/ }));
  expect(screen.getByRole<HTMLInputElement>("radio", { name: /BitPay/ }).checked).toBe(true);
});

test("a refused checkout says why and lets one try again", async () => {
  api.answers({ ...free, "POST /billing/create-checkout-session": () => refuse(503, "provider_unavailable") });
  show(<PurchaseDialog plan={plans.pro} onClose={() => {}} />);
  await userEvent.click(await screen.findByRole("button", { name: "Continue to payment" }));
  expect((await screen.findByRole("alert")).textContent).toContain("Nothing was charged");
  expect(screen.getByRole("button", { name: "Continue to payment" }).getAttribute("aria-disabled")).toBeNull();
});

test("bitcoin says that nothing renews, and is paid right here", async () => {
  api.answers({
    ...free,
    "POST /billing/create-checkout-session": { ...session, provider: "btcpay" },
    "GET /billing/checkout-sessions/:id/invoice": invoice(),
  });
  show(<PurchaseDialog plan={plans.pro} onClose={() => {}} />);
  await userEvent.click(await screen.findByRole("radio", { name: /Bitcoin.*Nothing renews by itself/ }));
  await userEvent.click(await screen.findByRole("button", { name: "Continue to payment" }));
  expect(await screen.findByText("bc1qexampleaddress")).toBeTruthy();
  expect(screen.getByRole("img", { name: /QR code/ })).toBeTruthy();
  await expectAccessible();
});

test("what is paid in bitcoin stays in its dialog, although the plan is now one's own", async () => {
  let paid = false;
  api.answers({
    ...free,
    "GET /billing/quotes": () => quotes(paid ? { "pro-month": { move: "current", rails: [] } } : {}),
    "POST /billing/create-checkout-session": { ...session, provider: "btcpay" },
    "GET /billing/checkout-sessions/:id/invoice": () => invoice(paid ? { invoice: invoiceState("paid") } : {}),
  });
  show(<PricingTable />);
  await userEvent.click(await (await card("Pro")).findByRole("button", { name: "Get Pro" }));
  await userEvent.click(await screen.findByRole("radio", { name: /Bitcoin.*Nothing renews by itself/ }));
  await userEvent.click(await screen.findByRole("button", { name: "Continue to payment" }));
  expect(await screen.findByText("bc1qexampleaddress", {}, { timeout: 5_000 })).toBeTruthy();
  paid = true;
  const pro = within(screen.getByRole("article", { name: "Pro", hidden: true }));
  expect(await pro.findByText("Your plan", {}, { timeout: 10_000 })).toBeTruthy();
  expect(screen.getByRole("dialog", { name: "Pay with bitcoin" })).toBeTruthy();
}, 15_000);

test("a trial says on the card what follows it, and a catalogue with nothing in it says so", async () => {
  const trial = quote(plans.pro, { rails: [rail(plans.pro, "stripe", { trial_days: 14, due_now_cents: 0 })] });
  api.answers({ ...free, "GET /billing/plans": { ...catalogue, plans: [plans.pro], quotes: [trial] } });
  show(<PricingTable />, null);
  expect(await screen.findByText("14 days free, then $19 / month")).toBeTruthy();
  api.answers({ "GET /billing/plans": { plans: [], features: [], quotes: [], payment_providers: {} } });
  show(<PricingTable />, null);
  expect(await screen.findByText("Nothing is on sale at the moment.")).toBeTruthy();
});

test("who has a key already is not offered a new one, and restoring is at hand", async () => {
  api.answers(free);
  show(<PurchaseDialog plan={plans.pro} onClose={() => {}} />, null);
  await userEvent.click(await screen.findByRole("button", { name: "Use a key I have" }));
  expect(screen.queryByRole("button", { name: "Create a billing key" })).toBeNull();
  expect(screen.getByLabelText("Backup text of the key")).toBeTruthy();
});

test("nothing is sold on a guess of what one has already", async () => {
  let up = false;
  api.answers({
    "GET /billing/plans": catalogue,
    "GET /billing/entitlements": entitlements(),
    "GET /billing/quotes": () => (up ? quotes({ "pro-month": { move: "upgrade", rails: [] } }) : refuse(409, "conflict")),
  });
  show(<PricingTable />);
  const again = await screen.findByRole("button", { name: "Try again" });
  expect(screen.queryByRole("button", { name: /Plus|Pro/ })).toBeNull();
  up = true;
  await userEvent.click(again);
  expect(await screen.findByRole("button", { name: "Upgrade to Pro" })).toBeTruthy();
});

test("what is recommended and what comes first is the admin's word, not the rank's", async () => {
  const pro = { ...plans.pro, recommended: true, position: 0 };
  const others = [plans.free, plans.plus].map((plan) => ({ ...plan, position: 1 }));
  api.answers({ ...free, "GET /billing/plans": { ...catalogue, plans: [pro, ...others] } });
  show(<PricingTable comparison={false} />, null);
  expect((await card("Pro")).getByText("Recommended")).toBeTruthy();
  expect(screen.getAllByText("Recommended")).toHaveLength(1);
  expect(screen.getAllByRole("article").map((each) => within(each).getByRole("heading").textContent)).toEqual(["Pro", "Free", "Plus"]);
  expect((await card("Pro")).getByText("Everything in Plus, and")).toBeTruthy();
});

test("what is in the plan that one has already is not recommended", async () => {
  const told = { ...free, "GET /billing/plans": { ...catalogue, plans: [plans.free, { ...plans.plus, recommended: true }, plans.pro] } };
  api.answers({ ...told, "GET /billing/quotes": quotes({ "plus-month": { included_in: "Pro" } }) });
  show(<PricingTable comparison={false} />);
  expect(await screen.findByText("Your Pro has all of this already.")).toBeTruthy();
  expect(screen.queryByText("Recommended")).toBeNull();
});

test("the ways to pay are those that this stack is set up for", async () => {
  const byCard = catalogue.quotes.map((each) => ({ ...each, rails: each.rails.filter(({ rail }) => rail === "card") }));
  api.answers(free);
  const all = show(<PricingTable />, null);
  const ways = async () => within(await screen.findByRole("list", { name: "Ways to pay" })).getAllByRole("listitem").map((item) => item.textContent);
  expect(await ways()).toEqual(["Card", "Bitcoin", "Lightning", "No account, no e-mail"]);
  all.unmount();
  api.answers({ ...free, "GET /billing/plans": { ...catalogue, quotes: byCard } });
  show(<PricingTable />, null);
  expect(await ways()).toEqual(["Card", "No account, no e-mail"]);
});

test("a purchase names the seller's terms, those that there are", async () => {
  api.answers(free);
  show(<PurchaseDialog plan={plans.plus} onClose={() => {}} />, null);
  const dialog = within(await screen.findByRole("dialog"));
  expect((await dialog.findByRole("link", { name: "Terms" })).getAttribute("href")).toBe("https://shop.example/terms");
  expect(dialog.getByRole("link", { name: "Refunds" })).toBeTruthy();
  expect(dialog.queryByRole("link", { name: "Privacy" })).toBeNull();
});

test("an allowance is said to the last one, and a long price in a size in which it keeps its line", async () => {
  const plus = { ...plans.plus, price_cents: 12_340, currency: "KWD", features: { "ai.chat": { limit: 1_250_000, per: "month" as const } } };
  api.answers({ ...free, "GET /billing/plans": { ...catalogue, plans: [plus] } });
  show(<PricingTable />, null);
  expect((await card("Plus")).getByText(": 1,250,000 per month")).toBeTruthy();
  expect((await card("Plus")).getByText("KWD 12.340").style.getPropertyValue("--length")).toBe("10");
});
