// @vitest-environment happy-dom
import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { PricingTable } from "./components/PricingTable.js";
import { PurchaseDialog } from "./components/PurchaseDialog.js";
import { catalogue, entitlements, invoice, plans, status, subscribed } from "./testing/fixtures.js";
import { expectAccessible, refuse, service, show } from "./testing/server.js";

const api = service();
const free = { "GET /billing/plans": catalogue, "GET /billing/subscription-status": status(), "GET /billing/entitlements": entitlements() };
const card = async (name: string) => within(await screen.findByRole("article", { name }));

test("says what paying yearly saves, computed from the prices", async () => {
  api.answers(free);
  show(<PricingTable />, null);
  await userEvent.click(await screen.findByRole("radio", { name: "Yearly Save 16%" }));
  expect((await card("Plus")).getByText("$7.50")).toBeTruthy();
  expect((await card("Plus")).getByText("$90 billed yearly")).toBeTruthy();
  await expectAccessible();
});

test("points out the plan one has, and says which way the others go", async () => {
  api.answers({ ...free, "GET /billing/subscription-status": subscribed() });
  show(<PricingTable />);
  expect(await (await card("Plus")).findByText("Your plan")).toBeTruthy();
  expect((await card("Pro")).getByRole("button", { name: "Upgrade to Pro" })).toBeTruthy();
  expect((await card("Tax year 2026")).getByRole("button", { name: "Get Tax year 2026" })).toBeTruthy();
});

test("a failed catalogue can be asked for again", async () => {
  let broken = true;
  api.answers({ ...free, "GET /billing/plans": () => (broken ? refuse(400, "nope") : catalogue) });
  show(<PricingTable />, null);
  expect((await screen.findByRole("alert")).textContent).toContain("Refused: nope.");
  broken = false;
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(await card("Pro")).toBeTruthy();
});

const session = { checkout_id: "co_1", provider: "stripe", url: "https://pay.test/1", expires_at: "2027-01-01T00:00:00Z", reused: false };

test("a stranger buys without an account: a key is made, then the checkout opens", async () => {
  api.answers({ ...free, "POST /billing/create-checkout-session": session });
  const leave = vi.fn();
  show(<PurchaseDialog plan={plans.pro} onClose={() => {}} onRedirect={leave} />, null);
  expect(screen.getByText("Due today").nextElementSibling?.textContent).toBe("$19.00");
  await expectAccessible();
  await userEvent.click(screen.getByRole("button", { name: "Continue to payment" }));
  await waitFor(() => expect(leave).toHaveBeenCalledWith("https://pay.test/1"));
  const opened = api.calls.find(({ call }) => call.startsWith("POST"));
  expect(opened?.body).toEqual({ plan_id: "pro-month", provider: "stripe" });
});

test("what would be paid twice is said first, and sold to those who want both", async () => {
  const overlap = () => refuse(409, "overlap", { ends_at: "2027-01-15T12:00:00Z" });
  const opens = (): unknown[] => api.calls.filter(({ call }) => call.endsWith("checkout-session")).map(({ body }) => body);
  api.answers({ ...free, "POST /billing/create-checkout-session": () => (opens().length === 1 ? overlap() : session) });
  const leave = vi.fn();
  show(<PurchaseDialog plan={plans.pro} onClose={() => {}} onRedirect={leave} />);
  await userEvent.click(screen.getByRole("button", { name: "Continue to payment" }));
  expect((await screen.findByRole("alert")).textContent).toContain("paid ahead until January 15, 2027");
  expect(screen.getByRole<HTMLButtonElement>("button", { name: "Continue to payment" }).disabled).toBe(true);
  await expectAccessible();
  await userEvent.click(screen.getByLabelText("I know, and want both."));
  await userEvent.click(screen.getByRole("button", { name: "Continue to payment" }));
  await waitFor(() => expect(leave).toHaveBeenCalledOnce());
  expect(opens()[1]).toEqual({ plan_id: "pro-month", provider: "stripe", accept_overlap: true });
});

test("who has a subscription already is led to it", async () => {
  api.answers({ ...free, "POST /billing/create-checkout-session": () => refuse(409, "already_subscribed") });
  show(<PurchaseDialog plan={plans.pro} onClose={() => {}} accountUrl="/my/billing" />);
  await userEvent.click(screen.getByRole("button", { name: "Continue to payment" }));
  expect((await screen.findByRole("link", { name: "Manage plan" })).getAttribute("href")).toBe("/my/billing");
});

test("a dialog that was closed while the checkout opened leads nowhere", async () => {
  let answer = () => {};
  const opened = new Promise<void>((resolve) => (answer = resolve));
  api.answers({ ...free, "POST /billing/create-checkout-session": () => opened.then(() => session) });
  const leave = vi.fn();
  const { unmount } = show(<PurchaseDialog plan={plans.pro} onClose={() => {}} onRedirect={leave} />);
  await userEvent.click(screen.getByRole("button", { name: "Continue to payment" }));
  unmount();
  answer();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(leave).not.toHaveBeenCalled();
});

test("a trial is due nothing today and names the day of the first charge", () => {
  api.answers(free);
  show(<PurchaseDialog plan={{ ...plans.pro, trial_days: 14 }} onClose={() => {}} />);
  expect(screen.getByText("Due today").nextElementSibling?.textContent).toBe("$0.00");
  expect(screen.getByText(/^First charge on /)).toBeTruthy();
});

test("a refused checkout says why and lets one try again", async () => {
  api.answers({ ...free, "POST /billing/create-checkout-session": () => refuse(503, "provider_unavailable") });
  show(<PurchaseDialog plan={plans.pro} onClose={() => {}} />);
  await userEvent.click(screen.getByRole("button", { name: "Continue to payment" }));
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
  await userEvent.click(screen.getByRole("button", { name: "Continue to payment" }));
  expect(await screen.findByText("bc1qexampleaddress")).toBeTruthy();
  expect(screen.getByRole("img", { name: /QR code/ })).toBeTruthy();
  await expectAccessible();
});

test("what is paid in bitcoin stays in its dialog, although the plan is now one's own", async () => {
  let paid = false;
  api.answers({
    ...free,
    "GET /billing/subscription-status": () => status(paid ? { plan_id: "pro-month", plan_name: "Pro" } : {}),
    "POST /billing/create-checkout-session": { ...session, provider: "btcpay" },
    "GET /billing/checkout-sessions/:id/invoice": () => invoice(paid ? { status: "paid" } : {}),
  });
  show(<PricingTable />);
  await userEvent.click(await (await card("Pro")).findByRole("button", { name: "Get Pro" }));
  await userEvent.click(await screen.findByRole("radio", { name: /Bitcoin.*Nothing renews by itself/ }));
  await userEvent.click(screen.getByRole("button", { name: "Continue to payment" }));
  expect(await screen.findByText("bc1qexampleaddress", {}, { timeout: 5_000 })).toBeTruthy();
  paid = true;
  const pro = within(screen.getByRole("article", { name: "Pro", hidden: true }));
  expect(await pro.findByText("Your plan", {}, { timeout: 10_000 })).toBeTruthy();
  expect(screen.getByRole("dialog", { name: "Pay with bitcoin" })).toBeTruthy();
}, 15_000);

test("a trial says on the card what follows it, and a catalogue with nothing in it says so", async () => {
  api.answers({ ...free, "GET /billing/plans": { ...catalogue, plans: [{ ...plans.pro, trial_days: 14 }] } });
  show(<PricingTable />, null);
  expect(await screen.findByText("14 days free, then $19 / month")).toBeTruthy();
  api.answers({ "GET /billing/plans": { plans: [], features: [], payment_providers: {} } });
  show(<PricingTable />, null);
  expect(await screen.findByText("Nothing is on sale at the moment.")).toBeTruthy();
});

test("who has a key already is not offered a new one, and restoring is at hand", async () => {
  api.answers(free);
  show(<PurchaseDialog plan={plans.pro} onClose={() => {}} />, null);
  await userEvent.click(screen.getByRole("button", { name: "Use a key I have" }));
  expect(screen.queryByRole("button", { name: "Create a billing key" })).toBeNull();
  expect(screen.getByLabelText("Backup text of the key")).toBeTruthy();
});

test("nothing is sold on a guess of what one has already", async () => {
  let up = false;
  api.answers({
    "GET /billing/plans": catalogue,
    "GET /billing/entitlements": entitlements(),
    "GET /billing/subscription-status": () => (up ? subscribed() : refuse(400, "strange")),
  });
  show(<PricingTable />);
  const again = await screen.findByRole("button", { name: "Try again" });
  expect(screen.queryByRole("button", { name: /Plus|Pro/ })).toBeNull();
  up = true;
  await userEvent.click(again);
  expect(await screen.findByRole("button", { name: "Upgrade to Pro" })).toBeTruthy();
});
