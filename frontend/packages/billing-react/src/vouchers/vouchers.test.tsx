// @vitest-environment happy-dom
import { fireEvent, screen, waitFor } from "@testing-library/react";
import { expect, test } from "vitest";
import { CheckoutReturn } from "../components/CheckoutReturn.js";
import { catalogue, entitlements, invoice, invoiceState, status } from "../testing/fixtures.js";
import { expectAccessible, refuse, service, show } from "../testing/server.js";
import { readCode } from "./code.js";
import Vouchers from "./Vouchers.js";

// As the service draws it: tests/rules/test_vouchers.py has the same one.
const CODE = "21VG3-QH9RX-MS703-8T514";

const api = service();
const given = (over: object = {}) => ({
  redemption_id: "r1",
  plan_id: "pro-month",
  plan_name: "Pro",
  interval: "month",
  intervals: 3,
  features: {},
  open: true,
  access_until: "2027-01-01T00:00:00Z",
  ended_at: null,
  end_reason: null,
  redeemed_at: "2026-10-01T00:00:00Z",
  starts_at: "2026-10-01T00:00:00Z",
  ends_at: "2027-01-01T00:00:00Z",
  already: false,
  entitlements_version: 1,
  overlap: null,
  ...over,
});
const gift = (over: object = {}) => ({
  provider: "stripe",
  purchase_id: "pi_1",
  checkout_id: "gift_1",
  plan_id: "pro-month",
  plan_name: "Pro",
  interval: "month",
  status: "paid",
  voucher: "ready",
  code: CODE,
  redeem_url: `https://portal.test/redeem#${CODE}`,
  amount_cents: 1900,
  currency: "USD",
  created_at: "2026-10-01T00:00:00Z",
  invoice: null,
  ...over,
});
const base = { "GET /billing/entitlements": entitlements(), "GET /billing/plans": catalogue, "GET /billing/subscription-status": status() };

const type = (text: string) => fireEvent.change(screen.getByLabelText("Code"), { target: { value: text } });
const press = (name: string) => fireEvent.click(screen.getByRole("button", { name }));

test("a code is read as people type it, and a typing error is one", () => {
  for (const typed of [CODE, CODE.toLowerCase(), ` ${CODE.replaceAll("-", " ")}`, CODE.replaceAll("1", "I").replaceAll("0", "o")]) {
    expect(readCode(typed)).toBe(CODE);
  }
  const letters = CODE.replaceAll("-", "");
  for (let place = 0; place < letters.length; place++) {
    const wrong = letters[place] === "7" ? "8" : "7";
    expect(readCode(letters.slice(0, place) + wrong + letters.slice(place + 1))).toBeNull();
  }
  expect(readCode(letters.slice(1))).toBeNull();
  expect(readCode("🙂".repeat(10))).toBeNull();
});

test("a typing error is told without asking anybody", async () => {
  api.answers(base);
  show(<Vouchers />);
  await screen.findByText("Redeem a voucher");
  type("21VG3-QH9RX-MS703-8T515");
  press("See what it gives");
  expect(screen.getByRole("alert").textContent).toContain("typing error");
  expect(api.calls.filter(({ call }) => call.includes("vouchers"))).toEqual([]);
});

test("what it gives is shown before it is redeemed, with what it would run beside", async () => {
  const overlap = { plan_name: "Plus", ends_at: "2026-11-01T00:00:00Z", renews: true };
  api.answers({
    ...base,
    "POST /billing/vouchers/preview": given({ overlap }),
    "POST /billing/vouchers/redeem": given(),
  });
  show(<Vouchers code={CODE} />);
  press("See what it gives");
  expect(await screen.findByText(/It gives you Pro for 3 months/)).toBeTruthy();
  expect(screen.getByText(/Plus renews on/)).toBeTruthy();
  press("Redeem");
  expect(await screen.findByText(/Redeemed: Pro for 3 months/)).toBeTruthy();
  await expectAccessible();
});

test("a code that comes into the address while the page is open is taken, and does not stay there", async () => {
  api.answers(base);
  show(<Vouchers />);
  const field = await screen.findByLabelText<HTMLInputElement>("Code");
  expect(field.value).toBe("");
  location.hash = `#${CODE}`;
  fireEvent(window, new HashChangeEvent("hashchange"));
  await waitFor(() => expect(field.value).toBe(CODE));
  expect(location.hash).toBe("");
});

test("a refusal is told in words, and another code can be typed", async () => {
  api.answers({ ...base, "POST /billing/vouchers/preview": () => refuse(409, "voucher_used") });
  show(<Vouchers code={CODE} />);
  press("See what it gives");
  expect(await screen.findByText("This voucher has been redeemed already.")).toBeTruthy();
  expect(screen.getByLabelText("Code").getAttribute("aria-invalid")).toBe("true");
  type("21VG3-QH9RX-MS703-8T5");
  expect(screen.queryByText("This voucher has been redeemed already.")).toBeNull();
});

test("a gift shows its code until it is redeemed, and never by whom", async () => {
  const gifts = [gift(), gift({ purchase_id: "pi_2", voucher: "redeemed", code: null, redeem_url: null })];
  api.answers({ ...base, "GET /billing/gifts": { gifts } });
  show(<Vouchers />);
  expect(await screen.findByText(CODE)).toBeTruthy();
  expect(screen.getByText("Redeemed by somebody")).toBeTruthy();
  await expectAccessible();
});

test("a gift of which something is missing can be taken up again, and is a code once it is paid", async () => {
  const begun = gift({ provider: "btcpay", status: "underpaid", voucher: null, code: null, redeem_url: null, invoice: invoiceState("missing", 900) });
  const late = { ...begun, purchase_id: "pi_3", invoice: invoiceState("expired") };
  let paid = false;
  api.answers({
    ...base,
    "GET /billing/gifts": () => ({ gifts: paid ? [gift({ provider: "btcpay" })] : [begun, late] }) as never,
    "GET /billing/invoices/:provider/:purchase_id": () => ((paid = true), invoice({ status: "paid", invoice: invoiceState("paid", 1900) })),
  });
  show(<Vouchers />);
  expect(await screen.findByText("Something is missing")).toBeTruthy();
  expect(screen.getByText("The time is up")).toBeTruthy();
  fireEvent.click(screen.getByRole("button", { name: "Pay" }));
  expect(await screen.findByText(CODE)).toBeTruthy();
  expect(screen.queryByRole("dialog")).toBeNull();
});

test("a gift is bought as one, once", async () => {
  api.answers({ ...base, "POST /billing/create-checkout-session": () => refuse(503, "provider_unavailable") });
  show(<Vouchers />);
  press("Buy a gift");
  fireEvent.click(await screen.findByRole("button", { name: "Continue to payment" }));
  await waitFor(() => expect(api.calls.some(({ call }) => call === "POST /billing/create-checkout-session")).toBe(true));
  const asked = api.calls.find(({ call }) => call === "POST /billing/create-checkout-session");
  expect(asked?.body).toMatchObject({ gift: true });
});

test("coming back from its payment shows the code to pass on", async () => {
  api.answers({
    ...base,
    "POST /billing/checkout-sessions/:id/confirm": { status: "completed", plan_id: "pro-month", provider: "stripe", entitlements_version: 2, gift: true },
    "GET /billing/gifts": { gifts: [gift()] },
  });
  show(<CheckoutReturn checkoutId="gift_1" />);
  expect(await screen.findByRole("heading", { name: "Your gift is ready" })).toBeTruthy();
  expect(screen.getByText(CODE)).toBeTruthy();
});

test("a gift that was paid in bitcoin is a code to pass on, once it is there, and opens nothing here", async () => {
  let asked = 0;
  api.answers({
    ...base,
    "GET /billing/gifts": () => ({ gifts: asked++ < 2 ? [] : [gift({ provider: "btcpay" })] }) as never,
    "POST /billing/create-checkout-session": { checkout_id: "gift_1", url: "https://pay.test", expires_at: "2027-01-01T00:15:00Z" } as never,
    "GET /billing/checkout-sessions/:checkout_id/invoice": invoice({ status: "paid", invoice: invoiceState("paid") }),
  });
  show(<Vouchers />);
  fireEvent.click(await screen.findByRole("button", { name: "Buy a gift" }));
  fireEvent.click(await screen.findByRole("radio", { name: /Bitcoin/ }));
  press("Continue to payment");
  expect(await screen.findByRole("heading", { name: "Your gift is ready" })).toBeTruthy();
  expect(await screen.findByText("A gift for you: Pro for a month", {}, { timeout: 6_000 })).toBeTruthy();
  expect(screen.queryByText("Your plan is open.")).toBeNull();
  const sent = api.calls.find(({ call }) => call === "POST /billing/create-checkout-session");
  expect(sent?.body).toMatchObject({ provider: "btcpay", gift: true });
  await expectAccessible();
});
