// @vitest-environment happy-dom
// Run by tests/pages/test_billing_page.py, which makes the histories and says where they are.
import type { Schemas as S } from "@bitsleuth/billing-api-client";
import { act, cleanup } from "@testing-library/react";
import { afterEach, expect, inject, test, vi } from "vitest";
import { BillingPage } from "./components/BillingPage.js";
import { digitsOf } from "./format.js";
import type { Message } from "./i18n.js";
import { de } from "./messages/de.js";
import { en } from "./messages/en.js";
import { es } from "./messages/es.js";
import { show } from "./testing/server.js";

// Every text is rendered with its key and the names of its values, so that the page can be read without knowing it.
const [TEXT, KEY, END, VALUE, CLOSE] = ["\uE000", "\uE001", "\uE002", "\uE003", "\uE004"];
vi.mock("./i18n.js", async (original) => {
  const real = await original<typeof import("./i18n.js")>();
  const mark = (key: string, text: string) => `${TEXT}${key}${KEY}${text.replace(/\{(\w+)\}/g, `${VALUE}$1${KEY}{$1}${CLOSE}`)}${END}`;
  const marked = (catalogue: Readonly<Record<string, Message>>): Record<string, Message> =>
    Object.fromEntries(
      Object.entries(catalogue).map(([key, message]) => [
        key,
        typeof message === "string" ? mark(key, message) : (Object.fromEntries(Object.entries(message).map(([form, text]) => [form, mark(key, text)])) as Message),
      ]),
    );
  return { ...real, translator: (locale: string, ...all: Readonly<Record<string, Message>>[]) => real.translator(locale, ...all.map(marked)) };
});

interface Answers {
  "/billing/subscription-status": S["SubscriptionStatus"];
  "/billing/entitlements": S["EntitlementList"];
  "/billing/receipts": S["ReceiptList"];
  "/billing/gifts": S["GiftList"];
  "/billing/wallet": S["WalletList"];
  "/billing/plans": S["PlanList"];
}

const histories = inject("histories" as never) as Answers[];
const LANGUAGES = { en, de, es } as const;
type Language = keyof typeof LANGUAGES;

afterEach(() => {
  cleanup();
  sessionStorage.clear();
  localStorage.clear();
});

/** "next.renews price=$9.00 date=January 15, 2027": what is said, with its dates and amounts. */
type Said = string;
const TOLD = ["date", "time", "from", "until", "at", "price", "amount", "received", "sat"];

/** What a page says: the sentences with a date or an amount, all others by their key, and what stands there bare. */
function read(page: string): { said: Said[]; keys: Set<string>; bare: string } {
  const said: Said[] = [];
  const keys = new Set<string>();
  let at = 0;
  const until = (...ends: string[]): string => {
    let text = "";
    while (at < page.length && !ends.includes(page[at] ?? "")) {
      if (page[at] === TEXT) text += sentence();
      else text += page[at++];
    }
    at++;
    return text;
  };
  let values: Record<string, string> = {};
  function sentence(): string {
    at++;
    const outer = values;
    const own: Record<string, string> = (values = {});
    const key = until(KEY);
    let text = "";
    while (at < page.length && page[at] !== END) {
      if (page[at] === VALUE) {
        at++;
        const name = until(KEY);
        own[name] = until(CLOSE);
        text += own[name];
      } else if (page[at] === TEXT) text += sentence();
      else text += page[at++];
    }
    at++;
    values = outer;
    keys.add(key);
    const told = TOLD.filter((name) => own[name] !== undefined);
    if (told.length > 0) said.push([key, ...told.map((name) => `${name}=${own[name]}`)].join(" "));
    return text;
  }
  let bare = "";
  while (at < page.length) {
    if (page[at] === TEXT) sentence();
    else bare += page[at++];
  }
  return { said, keys, bare };
}

/** The words of one language for times and amounts, written here once more. */
function words(locale: Language) {
  const by = (style: Intl.DateTimeFormatOptions) => (iso: string) => new Intl.DateTimeFormat(locale, style).format(new Date(iso));
  const money = (minor: number, currency: string, exact = true) => {
    const digits = digitsOf(currency);
    const shown = !exact && minor % 10 ** digits === 0 ? 0 : digits;
    const format = new Intl.NumberFormat(locale, { style: "currency", currency, minimumFractionDigits: shown, maximumFractionDigits: shown });
    return format.format(minor / 10 ** digits);
  };
  const period = (from: string, to: string) => new Intl.DateTimeFormat(locale, { dateStyle: "medium" }).formatRange(new Date(from), new Date(to));
  return { day: by({ dateStyle: "long" }), short: by({ dateStyle: "medium" }), moment: by({ dateStyle: "medium", timeStyle: "short" }), money, period, count: (n: number) => new Intl.NumberFormat(locale).format(n) };
}

type Row = S["TermView"] | S["PurchaseView"];

/** What has to be said, no more and no less, by the answers of the service. */
function due(answers: Answers, locale: Language): { said: Said[]; bare: string[] } {
  const status = answers["/billing/subscription-status"];
  const { day, short, moment, money, period, count } = words(locale);
  const now = Date.parse(status.server_time);
  const said: Said[] = [];
  const bare: string[] = [];
  const say = (key: string, values: Record<string, string>) =>
    said.push([key, ...TOLD.filter((name) => name in values).map((name) => `${name}=${values[name]}`)].join(" "));
  const past = (iso: string) => (expect(Date.parse(iso), "said to be over").toBeLessThanOrEqual(now), iso);
  const ahead = (iso: string) => (expect(Date.parse(iso), "said to come").toBeGreaterThanOrEqual(now), iso);

  const live = status.subscriptions.filter(({ status: word }) => !["canceled", "incomplete_expired"].includes(word));
  for (const one of live) {
    const { next } = one;
    say(`price.${one.interval}`, { price: money(one.price_cents, one.currency, false) });
    if (one.ended_at) say(`closed.${one.end_reason}`, { date: day(past(one.ended_at)) });
    const price = next.amount_cents === null ? "" : money(next.amount_cents, next.currency);
    if (next.kind === "ends") say("next.ends", { date: day(next.at ?? "") });
    else if (["due", "arrives"].includes(next.kind)) say(`next.${next.kind}`, { price });
    else if (!["none", "paused"].includes(next.kind)) {
      say(`next.${next.kind}`, { price, date: day((next.kind === "awaited" ? past : ahead)(next.at ?? "")) });
    }
    if (next.kind !== "ends" && one.cancel_at) say("next.then_ends", { date: day(ahead(one.cancel_at)) });
    if (one.payment_problem?.access_until && one.actions.includes("fix_payment"))
      say("problem.access_until", { date: day(ahead(one.payment_problem.access_until)) });
    // Who can use it is told until when, and who cannot is told why.
    if (one.access_until) expect([one.payment_problem?.access_until, next.at, one.cancel_at]).toContain(one.access_until);
    if (!one.open) expect(one.ended_at !== null || ["arrives", "due", "paused", "awaited"].includes(next.kind), "closed, and nobody says why").toBe(true);
  }
  if (live.length === 0) {
    if (status.access_until) say("next.term_ends", { date: day(ahead(status.access_until)) });
    else if (status.ended) say(`ended.${status.ended.reason}`, { date: day(past(status.ended.ended_at)) });
  }
  if (status.checkout)
    say("plan.open_checkout.about", { amount: money(status.checkout.amount_cents, status.checkout.currency), time: moment(ahead(status.checkout.expires_at)) });

  for (const row of [...status.terms, ...status.purchases] as Row[]) {
    const price = money(row.amount_cents, row.currency);
    const received = money(row.invoice?.received_cents ?? 0, row.currency);
    const state = row.invoice?.state ?? "";
    if (state === "missing") say("purchases.missing_about", { received, price, time: moment(ahead(row.payable_until ?? "")) });
    else if (state === "held") say("invoice.held.about", { received, price });
    else if (state === "returning") say("invoice.returning.about", { received });
    if (["missing", "held"].includes(state)) say("purchases.received", { received, price });
    else if (row.ended_at) say(`closed.${row.end_reason}`, { date: day(past(row.ended_at)) });
    else if (row.access_until) say("purchases.until", { date: day(ahead(row.access_until)) });
    bare.push(price);
  }
  for (const end of status.ends ?? []) {
    if (Date.parse(end.notice_from) > now || end.act === "fix_payment") continue;
    const price = end.amount_cents === null ? {} : { price: money(end.amount_cents, end.currency) };
    say(`ends.${end.kind}`, { date: day(ahead(end.ends_at)) });
    if (end.act === "wallet_pays" && end.due_at === null) say("act.wallet_now", price);
    else if (end.act === "wallet_pays") say("act.wallet_pays", { ...price, date: day(ahead(end.due_at ?? "")) });
    else if (["renew", "wallet_trouble"].includes(end.act) || (end.act === "charged" && end.amount_cents !== null)) say(`act.${end.act}`, price);
  }
  for (const renewal of status.renewals ?? []) say("prepaid.until", { date: day(ahead(renewal.ends_at)) });
  for (const wallet of answers["/billing/wallet"].wallets) {
    const agreed = { price: money(wallet.price_cents, wallet.currency), sat: count(wallet.most_sat) };
    const now_cents = wallet.price_now_cents === null ? "" : money(wallet.price_now_cents, wallet.currency_now ?? wallet.currency);
    if (wallet.state === "waiting") say("wallet.waiting", { ...agreed, date: day(ahead(wallet.asks_at ?? "")) });
    if (wallet.state === "nothing_prepaid") say("wallet.nothing_prepaid", agreed);
    if (wallet.state === "trouble" && wallet.asks_at) say("wallet.next_try", { time: moment(ahead(wallet.asks_at)) });
    if (wallet.by_hand_from) say("wallet.by_hand_from", { time: moment(ahead(wallet.by_hand_from)) });
    if (wallet.renewed_at && !["trouble", "given_up"].includes(wallet.state)) say("wallet.renewed", { date: day(past(wallet.renewed_at)) });
    if (wallet.trouble === "price_raised") say("wallet.trouble.price_raised", { price: now_cents });
    if (wallet.trouble === "above_ceiling") say("wallet.trouble.above_ceiling", { sat: count(wallet.most_sat) });
    if (["price_raised", "plan_changed"].includes(wallet.trouble ?? "") && now_cents) say("wallet.agree", { price: now_cents });
  }
  for (const one of status.vouchers ?? []) {
    if (one.ended_at && !["expired", "replaced"].includes(one.end_reason ?? "")) continue;
    if (one.ended_at) say("state.ended", { at: short(past(one.ended_at)) });
    else if (!one.open) say("state.waits", { from: short(ahead(one.starts_at)) });
    else if (one.access_until) say("state.open", { until: short(ahead(one.access_until)) });
  }
  for (const gift of answers["/billing/gifts"].gifts) bare.push(money(gift.amount_cents, gift.currency), short(gift.created_at));
  for (const one of answers["/billing/entitlements"].entitlements)
    if (one.resets_at && typeof one.remaining === "number") say("usage.resets", { date: day(ahead(one.resets_at)) });
  for (const one of answers["/billing/receipts"].receipts) {
    bare.push(short(one.paid_at), money(one.amount_cents, one.currency));
    if (one.period_start && one.period_end) bare.push(period(one.period_start, one.period_end));
    if (one.refunded_cents > 0 && one.refunded_cents < one.amount_cents) bare.push(`−${money(one.refunded_cents, one.currency)}`);
    bare.push(short(one.paid_at));
  }
  return { said, bare };
}

async function rendered(answers: Answers, locale: Language): Promise<string> {
  const fetch = (async (asked: Request | string) => {
    const { pathname } = new URL(typeof asked === "string" ? asked : asked.url);
    const answer = (answers as unknown as Record<string, unknown>)[pathname];
    return new Response(JSON.stringify(answer ?? {}), { status: 200, headers: { "content-type": "application/json" } });
  }) as typeof globalThis.fetch;
  show(<BillingPage />, "usr_1", { locale, messages: LANGUAGES[locale], fetch });
  const settled = () => !document.querySelector("[aria-busy=true]") && document.querySelector("#bsb-receipts") !== null;
  for (let turn = 0; turn < 400 && !(turn > 3 && settled()); turn++) await act(() => new Promise((go) => setTimeout(go)));
  expect(settled(), "the page loads").toBe(true);
  return document.body.textContent ?? "";
}

const CONTRADICTIONS = [
  ["next.ends", ["next.renews", "next.retries", "next.first_charge", "next.due"]],
  ["next.free", ["next.term_ends", "next.renews", "next.ends", "problem.failed"]],
  ["problem.access_until", ["problem.access_over"]],
] as const;

test.skipIf(histories.length === 0)("every sentence with a date or an amount is what the service says at that instant, in every language", { timeout: 600_000 }, async () => {
  expect(new Date("2026-01-01T00:00:00Z").getHours(), "in another zone than UTC").not.toBe(0);
  const heard = new Set<string>();
  for (const [number, answers] of histories.entries()) {
    for (const locale of Object.keys(LANGUAGES) as Language[]) {
      const why = `history ${number}, ${locale}`;
      const { said, keys, bare } = read(await rendered(answers, locale));
      const wanted = due(answers, locale);
      expect([...said].sort(), why).toEqual([...wanted.said].sort());
      let rest = bare;
      for (const told of [...wanted.bare].sort((a, b) => b.length - a.length)) {
        expect(rest, `${why}: ${told} is told`).toContain(told);
        rest = rest.replace(told, " ");
      }
      expect(rest.replace(/usr_\w+|20\d{6}-[0-9A-F]{8}|\b[0-9A-Z]{5}(-[0-9A-Z]{5}){3}\b/g, ""), `${why}: no date or amount of its own`).not.toMatch(/[$€]|\b20\d\d\b/);
      const live = answers["/billing/subscription-status"].subscriptions.filter(({ actions }) => !actions.includes("resubscribe"));
      for (const [one, others] of live.length > 1 ? [] : CONTRADICTIONS)
        if (keys.has(one)) expect([...keys].filter((key) => (others as readonly string[]).includes(key)), `${why}: beside ${one}`).toEqual([]);
      for (const sentence of said) heard.add(sentence.split(" ")[0] ?? "");
      cleanup();
      sessionStorage.clear();
    }
  }
  console.log(JSON.stringify([...heard].sort()));
});
