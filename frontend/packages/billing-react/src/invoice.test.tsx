// @vitest-environment happy-dom
import { act, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CryptoInvoice } from "./components/CryptoInvoice.js";
import { entitlements, invoice } from "./testing/fixtures.js";
import { refuse, service, show } from "./testing/server.js";

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

test("when the time is up nothing is offered to pay any more, although the provider has not said so yet", async () => {
  api.answers({ [path]: invoice({ server_time: "2027-01-01T00:15:01Z" }) });
  const onAgain = vi.fn();
  show(<CryptoInvoice of={{ checkoutId: "co_1" }} onAgain={onAgain} />);
  expect((await screen.findByRole("alert")).textContent).toContain("do not pay to this address any more");
  expect(screen.queryByRole("link", { name: "Open in wallet" })).toBeNull();
  await userEvent.click(screen.getByRole("button", { name: "Get a new quote" }));
  expect(onAgain).toHaveBeenCalledOnce();
});

test("an invoice stays on the page when a later question about it fails", async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  let asked = 0;
  api.answers({ [path]: () => (asked++ === 0 ? invoice() : refuse(400, "nope")) });
  show(<CryptoInvoice of={{ checkoutId: "co_1" }} />);
  await screen.findByRole("timer");
  await act(() => vi.advanceTimersByTimeAsync(4000));
  await vi.waitFor(() => expect(asked).toBeGreaterThan(1));
  expect(screen.getByRole("link", { name: "Open in wallet" })).toBeTruthy();
  expect(screen.queryByRole("alert")).toBeNull();
});

test("of an invoice that names no address, the provider's page is the way to pay", async () => {
  api.answers({ [path]: invoice({ due_btc: null, address: null, bip21: null, url: "https://bitpay.test/i/1" }) });
  show(<CryptoInvoice of={{ checkoutId: "co_1" }} />);
  expect((await screen.findByRole("link", { name: "Open the payment page" })).getAttribute("href")).toBe("https://bitpay.test/i/1");
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
