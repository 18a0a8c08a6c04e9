import type { Schemas } from "@bitsleuth/billing-api-client";

type S = Schemas;

const plan = (over: Partial<S["PublicPlan"]>): S["PublicPlan"] => ({
  plan_id: "plus-month",
  version: 1,
  name: "Plus",
  description: "For every week.",
  price_cents: 900,
  currency: "USD",
  interval: "month",
  tier: "plus",
  rank: 10,
  recommended: false,
  position: 0,
  group: "main",
  trial_days: 0,
  duration_days: null,
  features: { "ai.chat": { limit: 200, per: "month" }, "wallets.max": 5 },
  providers: ["stripe", "btcpay"],
  ...over,
});

export const plans = {
  free: plan({ plan_id: "free", name: "Free", price_cents: 0, tier: "free", rank: 0, features: { "wallets.max": 1 } }),
  plus: plan({}),
  plusYear: plan({ plan_id: "plus-year", interval: "year", price_cents: 9000 }),
  pro: plan({
    plan_id: "pro-month",
    name: "Pro",
    price_cents: 1900,
    tier: "pro",
    rank: 20,
    features: { "ai.chat": { limit: 1000, per: "month" }, "wallets.max": 25, "tax.enhanced": true },
  }),
  pass: plan({ plan_id: "tax-2026", name: "Tax year 2026", interval: "once", price_cents: 4900, group: "tax", features: { "tax.enhanced": true } }),
};

const feature = (key: string, name: string, kind: S["FeatureInfo"]["kind"]) => ({ feature: key, name, description: "", kind, unit: "" });

/** What a plan means to somebody; by card and in bitcoin, unless told. */
export const quote = (of: S["PublicPlan"], over: Partial<S["PlanQuote"]> = {}): S["PlanQuote"] => ({
  plan_id: of.plan_id,
  version: of.version,
  move: of.price_cents === 0 ? "free" : "buy",
  blocked: null,
  included_in: null,
  rails: of.price_cents === 0 ? [] : [rail(of, "stripe"), rail(of, "btcpay")],
  ...over,
});

export const rail = (of: S["PublicPlan"], provider: string, over: Partial<S["RailQuote"]> = {}): S["RailQuote"] => ({
  quote_id: `quo_${of.plan_id}_${provider}`,
  provider,
  rail: provider === "btcpay" ? "bitcoin" : "card",
  renews: provider !== "btcpay" && of.interval !== "once",
  price_cents: of.price_cents,
  due_now_cents: of.price_cents,
  currency: of.currency,
  trial_days: 0,
  first_charge_at: "2026-12-15T12:00:00Z",
  starts_at: "2026-12-15T12:00:00Z",
  waits: false,
  access_until: of.interval === "once" ? null : "2027-01-15T12:00:00Z",
  overlap: null,
  ...over,
});

/** The quotes of all plans, with those of some replaced. */
export const quotes = (over: Record<string, Partial<S["PlanQuote"]>> = {}): S["QuoteList"] => ({
  quotes: Object.values(plans).map((of) => quote(of, over[of.plan_id])),
});

export const catalogue: S["PlanList"] = {
  plans: Object.values(plans),
  quotes: quotes().quotes,
  features: [
    feature("ai.chat", "AI chat", "allowance"),
    feature("wallets.max", "Wallets", "number"),
    feature("tax.enhanced", "Enhanced tax report", "switch"),
  ],
  payment_providers: {
    stripe: { title: "Stripe", rail: "card", renews: true, lightning: false },
    bitpay: { title: "BitPay", rail: "bitcoin", renews: false, lightning: false },
    btcpay: { title: "BTCPay Server", rail: "bitcoin", renews: false, lightning: true },
    mock: { title: "Test mode", rail: "card", renews: true, lightning: false },
  },
};

export const subscription: S["SubscriptionView"] = {
  provider: "stripe",
  subscription_id: "sub_1",
  plan_id: "plus-month",
  plan_name: "Plus",
  price_cents: 900,
  currency: "USD",
  interval: "month",
  status: "active",
  current_period_end: "2027-01-15T12:00:00Z",
  next_billing_at: "2027-01-15T12:00:00Z",
  trial_end: null,
  open: true,
  access_until: null,
  ended_at: null,
  end_reason: null,
  cancel_at: null,
  scheduled_plan_id: null,
  scheduled_price_cents: null,
  payment_problem: null,
  next: {
    kind: "renews",
    at: "2027-01-15T12:00:00Z",
    amount_cents: 900,
    currency: "USD",
    plan_id: "plus-month",
    plan_name: "Plus",
    interval: "month",
  },
  if_canceled: {
    access_until: "2027-01-15T12:00:00Z",
    waived_cents: 0,
    currency: "USD",
    features: [{ feature: "ai.chat", before: { limit: 200, per: "month" }, after: null }],
  },
  actions: ["change", "cancel", "payment_method"],
};

/** The subscription with its next step replaced. */
export const nextly = (next: Partial<S["NextStep"]>, over: Partial<S["SubscriptionView"]> = {}) =>
  subscribed({ ...over, next: { ...subscription.next, ...next } });

export const status = (over: Partial<S["SubscriptionStatus"]> = {}): S["SubscriptionStatus"] => ({
  user_id: "usr_1",
  plan_id: "free",
  plan_name: "Free",
  server_time: "2026-12-20T12:00:00Z",
  access_until: null,
  ended: null,
  subscriptions: [],
  terms: [],
  purchases: [],
  checkout: null,
  holds: false,
  ...over,
});

export const subscribed = (over: Partial<S["SubscriptionView"]> = {}) =>
  status({ plan_id: "plus-month", plan_name: "Plus", holds: true, subscriptions: [{ ...subscription, ...over }] });

const source: S["SourceView"] = { kind: "subscription", id: "sub_1", plan_id: "plus-month", reason: "active", expires_at: null };

export const entitlements = (...list: Partial<S["EntitlementView"]>[]): S["EntitlementList"] => ({
  user_id: "usr_1",
  plan_id: "plus-month",
  version: 1,
  entitlements: list.map((part) => ({ feature: "ai.chat", value: true, expires_at: null, sources: [source], ...part })),
  token: null,
  token_expires_at: null,
});

/** As the service's table has it. */
export const invoiceState = (state: S["InvoiceState"]["state"], received_cents = 0): S["InvoiceState"] => ({
  state,
  payable: state === "waiting" || state === "missing",
  watched: !["paid", "partially_refunded", "refunded", "disputed"].includes(state),
  again: ["expired", "refunded", "disputed"].includes(state),
  received_cents,
});

export const purchase = (over: Partial<S["PurchaseView"]> = {}): S["PurchaseView"] => ({
  provider: "btcpay",
  purchase_id: "inv_1",
  plan_id: "tax-2026",
  plan_name: "Tax year 2026",
  interval: "once",
  status: "pending",
  open: false,
  access_until: null,
  ended_at: null,
  end_reason: null,
  amount_cents: 4900,
  currency: "USD",
  refunded_cents: 0,
  due_cents: 0,
  surplus_cents: 0,
  created_at: "2026-12-20T12:00:00Z",
  payable_until: "2026-12-20T12:15:00Z",
  invoice: invoiceState("waiting"),
  ...over,
});

export const invoice = (over: Partial<S["CryptoInvoice"]> = {}): S["CryptoInvoice"] => ({
  provider: "btcpay",
  purchase_id: "inv_1",
  status: "pending",
  invoice: invoiceState("waiting"),
  rate_cents: 10_000_000,
  confirmations: 1,
  confirmed: 0,
  claim_url: null,
  amount_cents: 900,
  currency: "USD",
  due_btc: "0.00009000",
  amount_btc: "0.00009000",
  due_cents: 900,
  received_cents: 0,
  surplus_cents: 0,
  created_at: "2027-01-01T00:00:00Z",
  address: "bc1qexampleaddress",
  bip21: "bitcoin:bc1qexampleaddress?amount=0.00009000",
  lightning: null,
  expires_at: "2027-01-01T00:15:00Z",
  server_time: "2027-01-01T00:00:00Z",
  url: null,
  ...over,
});

export const problem = (status: number, code: string, over: Record<string, unknown> = {}) => ({
  type: "about:blank",
  title: code,
  status,
  code,
  detail: `Refused: ${code}.`,
  ...over,
});

export const config: S["PublicConfig"] = {
  version: 0,
  salt: "",
  flags: {},
  providers: ["stripe", "btcpay"],
  sign_in: ["nostr"],
  links: { contact: "mailto:ask@shop.example", terms: "https://shop.example/terms", privacy: null, refunds: "https://shop.example/refunds" },
  identity_provider: null,
  server_time: "2026-12-15T12:00:00Z",
};

export const receipt = (over: Partial<S["ReceiptView"]> = {}): S["ReceiptView"] => ({
  provider: "stripe",
  payment_id: "pi_1",
  number: "20261215-0A1B2C3D",
  paid_at: "2026-12-15T12:00:00Z",
  amount_cents: 900,
  refunded_cents: 0,
  currency: "USD",
  status: "paid",
  plan_id: "plus-month",
  plan_name: "Plus",
  interval: "month",
  reason: "renewal",
  period_start: "2026-12-15T12:00:00Z",
  period_end: "2027-01-15T12:00:00Z",
  url: "https://receipt.test",
  ...over,
});
