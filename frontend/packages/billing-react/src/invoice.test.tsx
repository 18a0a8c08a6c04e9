// @vitest-environment happy-dom
import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CryptoInvoice } from "./components/CryptoInvoice.js";
import { entitlements, invoice } from "./testing/fixtures.js";
import { service, show } from "./testing/server.js";

const api = service();
const path = "GET /billing/checkout-sessions/:id/invoice";
beforeEach(() => api.answers({ "GET /billing/entitlements": entitlements() }));
afterEach(() => vi.useRealTimers());

test("the time left is by the service's clock, however wrong ours is", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.parse("2030-05-05T00:00:00Z") });
  api.answers({ [path]: invoice() });
  show(<CryptoInvoice of={{ checkoutId: "co_1" }} />);
  expect((await screen.findByRole("timer")).textContent).toBe("15:00");
});

test("an amount that is missing is told to the satoshi, and the invoice stays payable", async () => {
  api.answers({ [path]: invoice({ status: "underpaid", due_btc: "0.00002500" }) });
  show(<CryptoInvoice of={{ checkoutId: "co_1" }} />);
  expect((await screen.findByRole("alert")).textContent).toContain("another 0.00002500 BTC");
  expect(screen.getByRole("link", { name: "Open in wallet" }).getAttribute("href")).toMatch(/^bitcoin:/);
});

test.each([
  ["processing", "Payment seen"],
  ["paid", "Your plan is open."],
  ["paid_late", "accept or refund it"],
  ["failed", "Nothing was taken"],
])("a %s invoice says so and offers nothing to pay", async (status, text) => {
  api.answers({ [path]: invoice({ status }) });
  show(<CryptoInvoice of={{ checkoutId: "co_1" }} />);
  expect((await screen.findByRole("alert")).textContent).toContain(text);
  expect(screen.queryByRole("link", { name: "Open in wallet" })).toBeNull();
});

test("an expired invoice leads to a new one; what was paid too much is told, and a paid one can be left", async () => {
  let status = "failed";
  api.answers({ [path]: () => invoice({ status, surplus_cents: status === "paid" ? 500 : 0 }) });
  const [onAgain, onDone] = [vi.fn(), vi.fn()];
  show(<CryptoInvoice of={{ checkoutId: "co_1" }} onAgain={onAgain} onDone={onDone} />);
  await userEvent.click(await screen.findByRole("button", { name: "Get a new quote" }));
  expect(onAgain).toHaveBeenCalledOnce();
  status = "paid";
  show(<CryptoInvoice of={{ checkoutId: "co_2" }} onAgain={onAgain} onDone={onDone} />);
  expect(await screen.findByText(/You sent \$5\.00 more than the price/)).toBeTruthy();
  await userEvent.click(screen.getByRole("button", { name: "Done" }));
  expect(onDone).toHaveBeenCalledOnce();
});

test("a paid invoice opens the features and tells the page", async () => {
  api.answers({ [path]: invoice({ status: "paid" }) });
  const onPaid = vi.fn();
  show(<CryptoInvoice of={{ checkoutId: "co_1" }} onPaid={onPaid} />);
  await vi.waitFor(() => expect(onPaid).toHaveBeenCalledOnce());
});
