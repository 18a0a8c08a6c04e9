// @vitest-environment happy-dom
import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";
import { BillingPage } from "./components/BillingPage.js";
import { catalogue, entitlements, quotes, status } from "./testing/fixtures.js";
import { expectAccessible, refuse, service, show, type Answer } from "./testing/server.js";
import { de } from "./wallet/texts.de.js";
import { en } from "./wallet/texts.en.js";
import { es } from "./wallet/texts.es.js";

const api = service();
const NOT_KNOWN = { budget_sat: null, period: "never", ends_at: null };
const STRING = "nostr+walletconnect://ab?relay=wss%3A%2F%2Fr&secret=cd";
const renewal = { group: "main", plan_id: "plus-month", provider: "btcpay", ends_at: "2027-01-31T12:00:00Z", reminders: true, by_wallet: null };
const wallet = {
  group: "main",
  plan_id: "plus-month",
  plan_name: "Plus",
  interval: "month",
  state: "waiting",
  trouble: null,
  trouble_at: null,
  price_cents: 900,
  currency: "USD",
  price_now_cents: 900,
  currency_now: "USD",
  most_sat: 14000,
  asked_sat: null,
  days_before: 3,
  agreed_at: "2027-01-01T12:00:00Z",
  ends_at: "2027-01-31T12:00:00Z",
  asks_at: "2027-01-28T12:00:00Z",
  by_hand_from: null,
  renewed_at: null,
  said: { budget_sat: null, period: "never", ends_at: null },
  foreseen: null,
  connection: {
    key_end: "89ab",
    relays: ["relay.example"],
    encryption: "nip44_v2",
    connected_at: "2027-01-01T12:00:00Z",
    seen_at: "2027-01-01T12:00:00Z",
    budget: { total_sat: 30000, used_sat: 9279, period: "monthly", renews_at: "2027-02-01T00:00:00Z" },
  },
};

/** A billing page with a wallet as it stands, which the calls in `more` may change. */
function page(now: () => Record<string, unknown> | null, more: Record<string, Answer> = {}, renewals = [renewal]) {
  const wallets = () => ({ available: true, days_before: 3, last_sat: 9279, wallets: [now()].filter((one) => one !== null) });
  api.answers({
    "GET /billing/plans": catalogue,
    "GET /billing/subscription-status": (() => status({ renewals, wallets: now() ? ["main"] : [] } as never)) as never,
    "GET /billing/quotes": quotes({}),
    "GET /billing/entitlements": entitlements(),
    "GET /billing/receipts": { receipts: [] },
    "GET /billing/wallet": wallets as never,
    ...more,
  });
  show(<BillingPage />);
}
const trouble = (name: string, over: object = {}) => ({ ...wallet, state: "trouble", trouble: name, ...over });

test("connecting says how much, when and at most before anything is sent, and sends just that", async () => {
  let current: Record<string, unknown> | null = null;
  page(() => current, { "POST /billing/wallet": () => (current = wallet) });
  await userEvent.click(await screen.findByRole("button", { name: "Connect a wallet" }));
  expect(screen.getByText("We will ask for $9.00 for Plus, 3 days before each term ends, and for at most 14,000 sat.")).toBeTruthy();
  await userEvent.clear(screen.getByLabelText("At most, in satoshis"));
  await userEvent.type(screen.getByLabelText("At most, in satoshis"), "12000");
  await userEvent.type(screen.getByLabelText("Connection from your wallet"), STRING);
  await expectAccessible();
  await userEvent.click(screen.getByRole("button", { name: "Connect a wallet" }));
  expect(await screen.findByText("Your wallet is asked on January 28, 2027 for $9.00, at most 14,000 sat.")).toBeTruthy();
  const sent = api.calls.find(({ call }) => call === "POST /billing/wallet");
  expect(sent?.body).toEqual({ connection: STRING, plan_id: "plus-month", most_sat: 12000, accept_unlimited: false, said: NOT_KNOWN });
  expect(document.body.innerHTML).not.toContain("secret=cd");
  expect(screen.getByText("Wallet …89ab, by relay.example")).toBeTruthy();
  expect(screen.getByText("Budget: 9,279 of 30,000 sat used when last asked, on January 1, 2027; new on February 1, 2027")).toBeTruthy();
  await expectAccessible();
});

test("a connection without a budget is connected only after one says that it is meant", async () => {
  let asked = 0;
  page(() => null, {
    "POST /billing/wallet": () => (asked++ ? (wallet as never) : (refuse(409, "wallet_unlimited") as never)),
  });
  await userEvent.click(await screen.findByRole("button", { name: "Connect a wallet" }));
  await userEvent.type(screen.getByLabelText("Connection from your wallet"), STRING);
  await userEvent.click(screen.getByRole("button", { name: "Connect a wallet" }));
  await userEvent.click(await screen.findByRole("checkbox", { name: /no budget/ }));
  await userEvent.click(screen.getByRole("button", { name: "Connect a wallet" }));
  await waitFor(() => expect(api.calls.filter(({ call }) => call === "POST /billing/wallet")).toHaveLength(2));
  expect(api.calls.findLast(({ call }) => call === "POST /billing/wallet")?.body).toMatchObject({ accept_unlimited: true });
});

test("what is wrong with a connection is said at its field", async () => {
  page(() => null, { "POST /billing/wallet": () => refuse(422, "wallet_connection_incomplete") as never });
  await userEvent.click(await screen.findByRole("button", { name: "Connect a wallet" }));
  await userEvent.type(screen.getByLabelText("Connection from your wallet"), STRING);
  await userEvent.click(screen.getByRole("button", { name: "Connect a wallet" }));
  const said = await screen.findByText(/A part of the wallet connection is missing/);
  const field = screen.getByLabelText("Connection from your wallet");
  expect(field.getAttribute("aria-describedby")?.split(" ")).toContain(said.id);
  expect(field.getAttribute("aria-invalid")).toBe("true");
  await expectAccessible();
});

test("a wallet that cannot be asked is told in its own words", async () => {
  page(() => wallet, {
    "POST /billing/wallet/main/test": () => refuse(409, "wallet_not_ready", { trouble: "wallet_gone" }) as never,
  });
  await userEvent.click(await screen.findByRole("button", { name: "Test" }));
  expect(await screen.findByText(/Its relay does not know this wallet any more/)).toBeTruthy();
});

test("a raised price is agreed to by its amount", async () => {
  let current: Record<string, unknown> = trouble("price_raised", { price_now_cents: 1100 });
  page(() => current, { "PUT /billing/wallet/main": () => (current = { ...wallet, price_cents: 1100 }) as never });
  await userEvent.click(await screen.findByRole("button", { name: "Agree to $11.00" }));
  expect(await screen.findByText("Your wallet is asked on January 28, 2027 for $11.00, at most 14,000 sat.")).toBeTruthy();
  expect(api.calls.find(({ call }) => call.startsWith("PUT"))?.body).toEqual({ price_cents: 1100 });
});

test("removing asks once, and says what is left to do in the wallet", async () => {
  let current: Record<string, unknown> | null = wallet;
  const gone = () => ((current = null), new Response(null, { status: 204 }));
  page(() => current, { "DELETE /billing/wallet/main": gone as never });
  await userEvent.click(await screen.findByRole("button", { name: "Remove" }));
  const sure = within(screen.getByRole("alert"));
  expect(sure.getByText(/Remove the connection in your wallet too/)).toBeTruthy();
  await userEvent.click(sure.getByRole("button", { name: "Remove" }));
  expect(await screen.findByText("The wallet was removed.")).toBeTruthy();
  expect(await screen.findByRole("button", { name: "Connect a wallet" })).toBeTruthy();
});

test.each(["given_up", "nothing_prepaid"])("with nothing paid ahead (%s), a wallet is seen, paused, connected anew and removed all the same", async (state) => {
  let current: Record<string, unknown> | null = { ...wallet, state, ends_at: null, asks_at: null };
  const gone = () => ((current = null), new Response(null, { status: 204 }));
  const answered = async () => {
    // Read last: by then the wallet is known to be gone, and what was pressed with it.
    await new Promise((go) => setTimeout(go, 30));
    return status({ wallets: current ? ["main"] : [] });
  };
  page(() => current, { "GET /billing/subscription-status": answered as never, "PUT /billing/wallet/main": () => (current = { ...wallet, state: "paused" }) as never, "DELETE /billing/wallet/main": gone as never }, []);
  const own = within(await screen.findByRole("region", { name: "Renew from your wallet" }));
  expect(own.getByText("Wallet …89ab, by relay.example")).toBeTruthy();
  await expectAccessible();
  await userEvent.click(own.getByRole("button", { name: "Pause" }));
  expect(await own.findByText("Paused: your wallet is not asked.")).toBeTruthy();
  await userEvent.click(await own.findByRole("button", { name: "Connect anew" }));
  expect(own.getByText(/We will ask for \$9.00 for Plus/)).toBeTruthy();
  await userEvent.click(own.getByRole("button", { name: "Cancel" }));
  await userEvent.click(own.getByRole("button", { name: "Remove" }));
  await userEvent.click(within(own.getByRole("alert")).getByRole("button", { name: "Remove" }));
  await waitFor(() => expect(document.activeElement?.textContent).toBe("The wallet was removed."));
  expect(own.queryByText(/A Lightning wallet/)).toBeNull();
});

test("while the wallet may still pay, it is said from when one can pay by hand", async () => {
  page(() => ({ ...wallet, state: "under_way", by_hand_from: "2027-01-28T12:50:00Z" }));
  expect(await screen.findByText(/So that you do not pay twice, it can be paid by hand from/)).toBeTruthy();
});

test("what the wallet does not tell is typed, sent and told in words", async () => {
  const silent = { ...wallet, connection: { ...wallet.connection, budget: null } };
  let current: Record<string, unknown> | null = null;
  page(() => current, { "POST /billing/wallet": () => (current = silent), "PUT /billing/wallet/main": () => (current = told) as never });
  const told = { ...silent, said: { budget_sat: 20000, period: "monthly", ends_at: "2027-01-20T23:59:59Z" }, foreseen: "connection_ends" };
  await userEvent.click(await screen.findByRole("button", { name: "Connect a wallet" }));
  await userEvent.type(screen.getByLabelText("Connection from your wallet"), STRING);
  await userEvent.click(screen.getByText("What your wallet may not tell"));
  await userEvent.type(screen.getByLabelText("Budget, in satoshis"), "30000");
  await userEvent.selectOptions(screen.getByLabelText("New every"), "year");
  await expectAccessible();
  await userEvent.click(screen.getByRole("button", { name: "Connect a wallet" }));
  await screen.findByText("Wallet …89ab, by relay.example");
  const sent = api.calls.find(({ call }) => call === "POST /billing/wallet")?.body;
  expect(sent).toMatchObject({ said: { budget_sat: 30000, period: "yearly", ends_at: null } });
  await userEvent.click(screen.getByRole("button", { name: "Budget and end" }));
  fireEvent.change(screen.getByLabelText("Ends on (last day, UTC)"), { target: { value: "2027-01-20" } });
  await userEvent.type(screen.getByLabelText("Budget, in satoshis"), "20000");
  await expectAccessible();
  await userEvent.click(screen.getByRole("button", { name: "Save" }));
  expect(await screen.findByText(/a budget of 20,000 sat, new every month\..*ends on January 20, 2027/)).toBeTruthy();
  expect(screen.getByText(/ends before your wallet is asked/)).toBeTruthy();
  const ends_at = Date.parse("2027-01-20T23:59:59Z") / 1000;
  expect(api.calls.find(({ call }) => call.startsWith("PUT"))?.body).toEqual({ said: { budget_sat: 20000, period: "monthly", ends_at } });
});

test("of a wallet that tells its budget, only the end is asked", async () => {
  page(() => wallet);
  await userEvent.click(await screen.findByRole("button", { name: "Budget and end" }));
  expect(screen.getByLabelText("Ends on (last day, UTC)")).toBeTruthy();
  expect(screen.queryByLabelText("Budget, in satoshis")).toBeNull();
});

test.each([
  ["behind the #", `#bsb-prepaid-main?value=${encodeURIComponent(STRING)}`],
  ["before it", `?lang=en&value=${encodeURIComponent(STRING)}#bsb-prepaid-main`],
])("what a wallet brings back %s is taken out of the address and waits to be agreed to", async (_, address) => {
  history.replaceState(null, "", `/account/billing${address}`);
  page(() => null);
  expect(await screen.findByText(/Your wallet has given a connection/)).toBeTruthy();
  expect(screen.getByLabelText<HTMLInputElement>("Connection from your wallet").value).toBe(STRING);
  expect(location.href).not.toContain("secret");
  expect(location.hash).toBe("#bsb-prepaid-main");
  expect(api.calls.some(({ call }) => call.startsWith("POST /billing/wallet"))).toBe(false);
  const link = screen.getByRole("link", { name: "Open a wallet on this device" }).getAttribute("href") ?? "";
  expect(new URL(link).searchParams.get("callback")).toBe(`${location.origin}/account/billing#bsb-prepaid-main`);
  await userEvent.click(screen.getByRole("button", { name: "Cancel" }));
  await userEvent.click(screen.getByRole("button", { name: "Connect a wallet" }));
  expect(screen.getByLabelText<HTMLInputElement>("Connection from your wallet").value).toBe("");
});

test("what is no connection stays in the address, and nothing opens", async () => {
  history.replaceState(null, "", "/account/billing?value=5#bsb-prepaid-main");
  page(() => null);
  await screen.findByRole("button", { name: "Connect a wallet" });
  expect(location.search).toBe("?value=5");
});

const troubles = Object.keys(en).filter((key) => key.startsWith("wallet.trouble."));

test.each(troubles)("%s has words on the page", async (key) => {
  page(() => trouble(key.replace("wallet.trouble.", "")));
  await waitFor(() => expect(document.body.textContent).toContain(en[key as keyof typeof en].slice(0, 24).split("{")[0]));
});

test("every language has every text, with the same values in it", () => {
  const values = (text: unknown) => [...String(text).matchAll(/\{\w+\}/g)].map(([name]) => name).sort();
  for (const other of [de, es]) {
    expect(Object.keys(other)).toEqual(Object.keys(en));
    for (const [key, text] of Object.entries(en)) expect(values(other[key as keyof typeof en]), key).toEqual(values(text));
  }
});
