// @vitest-environment happy-dom
import { act, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CryptoInvoice } from "./components/CryptoInvoice.js";
import { BillingPage } from "./components/BillingPage.js";
import { catalogue, entitlements, invoice, invoiceState, purchase, quotes, status } from "./testing/fixtures.js";
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
  api.answers({ [path]: invoice({ invoice: invoiceState("missing", 675), received_cents: 675, due_btc: "0.00002500" }) });
  show(<CryptoInvoice of={{ checkoutId: "co_1" }} />);
  expect((await screen.findByRole("alert")).textContent).toContain("another 0.00002500 BTC");
  expect(screen.getByRole("link", { name: "Open in wallet" }).getAttribute("href")).toMatch(/^bitcoin:/);
});

const STATES = [
  // state, what the dialog says, what the billing page says first, what the list says
  ["waiting", "Waiting for payment", null, "Waiting for payment"],
  ["missing", "$4.50 of $9.00 has arrived", "Something is missing", "$4.50 of $9.00 has arrived"],
  ["confirming", "The network has to confirm it once, 0 of 1 so far", "Payment seen", "Payment seen"],
  ["expired", "Nothing has arrived so far", null, "The time is up"],
  ["held", "$4.50 of $9.00 has arrived, but not as agreed", "waits for a person", "$4.50 of $9.00 has arrived"],
  ["returning", "on its way back", "Being returned", "Being returned"],
  ["paid", "Your plan is open.", null, "Paid"],
  ["partially_refunded", "What you bought stays open", null, "Paid, partly returned"],
  ["refunded", "has been returned", null, "Refunded"],
  ["disputed", "is disputed", null, "Disputed"],
] as const;

test.each(STATES)("an invoice that is %s reads the same in the dialog, on the billing page and in the list", async (state, dialog, first, list) => {
  const received = ["missing", "held", "returning"].includes(state) ? 450 : 0;
  const now = invoiceState(state, received);
  api.answers({
    [path]: invoice({ invoice: now, received_cents: received }),
    "GET /billing/plans": catalogue,
    "GET /billing/quotes": quotes(),
    "GET /billing/receipts": { receipts: [] },
    "GET /billing/subscription-status": status({ purchases: [purchase({ amount_cents: 900, invoice: now })] }),
  });
  const shown = show(<CryptoInvoice of={{ checkoutId: "co_1" }} onAgain={() => {}} />);
  await vi.waitFor(() => expect(document.body.textContent).toContain(dialog));
  expect(screen.queryAllByRole("link", { name: "Open in wallet" })).toHaveLength(now.payable ? 1 : 0);
  expect(screen.queryAllByRole("button", { name: "Get a new quote" })).toHaveLength(now.again ? 1 : 0);
  if (received > 0) expect(screen.queryByText(/Nothing/)).toBeNull();
  shown.unmount();
  show(<BillingPage />);
  const purchases = await screen.findByRole("region", { name: "Purchases" });
  expect(purchases.textContent).toContain(list);
  expect(purchases.querySelector(".bsb-badge-bad") !== null).toBe(state === "disputed");
  const notices = [...document.querySelectorAll(".bsb-notice")].map(({ textContent }) => textContent).join(" ");
  if (first) expect(notices).toContain(first);
  else expect(notices).not.toContain("Tax year 2026");
});

test("an invoice that has expired is looked at as long as money may come", async () => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
  let now = invoiceState("expired");
  api.answers({ [path]: () => invoice({ invoice: now, received_cents: now.received_cents, server_time: "2027-01-01T01:00:00Z" }) });
  show(<CryptoInvoice of={{ checkoutId: "co_1" }} onAgain={() => {}} />);
  expect((await screen.findByRole("alert")).textContent).toContain("do not pay again");
  now = invoiceState("held", 900);
  await act(() => vi.advanceTimersByTimeAsync(16_000));
  await vi.waitFor(() => expect(screen.getByRole("alert").textContent).toContain("$9.00 of $9.00 has arrived"));
  expect(screen.queryByRole("button", { name: "Get a new quote" })).toBeNull();
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
  let state = "expired" as "expired" | "paid";
  api.answers({ [path]: () => invoice({ invoice: invoiceState(state), surplus_cents: state === "paid" ? 500 : 0 }) });
  const [onAgain, onDone] = [vi.fn(), vi.fn()];
  show(<CryptoInvoice of={{ checkoutId: "co_1" }} onAgain={onAgain} onDone={onDone} />);
  await userEvent.click(await screen.findByRole("button", { name: "Get a new quote" }));
  expect(onAgain).toHaveBeenCalledOnce();
  state = "paid";
  show(<CryptoInvoice of={{ checkoutId: "co_2" }} onAgain={onAgain} onDone={onDone} />);
  expect(await screen.findByText(/You sent \$5\.00 more than the price/)).toBeTruthy();
  await userEvent.click(screen.getByRole("button", { name: "Done" }));
  expect(onDone).toHaveBeenCalledOnce();
});

test.each([
  [1, 0, "confirm it once, 0 of 1 so far."],
  [1, 1, "confirm it once, 1 of 1 so far."],
  [6, 7, "confirm it 6 times, 6 of 6 so far."],
  [6, null, "confirm it 6 times. You can close"],
  [1, null, "confirm it once. You can close"],
  [null, null, "Waiting for the network to confirm it."],
])("of %s confirmations %s are there: as the provider tells, and nothing that it does not", async (confirmations, confirmed, said) => {
  api.answers({ [path]: invoice({ invoice: invoiceState("confirming"), confirmations, confirmed }) });
  show(<CryptoInvoice of={{ checkoutId: "co_1" }} />);
  expect(await screen.findByText(said, { exact: false })).toBeTruthy();
});

test("a paid invoice opens the features and tells the page", async () => {
  api.answers({ [path]: invoice({ invoice: invoiceState("paid") }) });
  const onPaid = vi.fn();
  show(<CryptoInvoice of={{ checkoutId: "co_1" }} onPaid={onPaid} />);
  await vi.waitFor(() => expect(onPaid).toHaveBeenCalledOnce());
});
