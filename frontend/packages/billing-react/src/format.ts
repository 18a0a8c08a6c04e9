import type { Schemas } from "@bitsleuth/billing-api-client";

export type Plan = Schemas["PublicPlan"];
export type FeatureValue = Plan["features"][string];

// As the provider charges, not as browsers show: rules/money.py has the table and its source, and a test compares them.
const ZERO_DECIMAL = "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split(" ");
const THREE_DECIMAL = "BHD JOD KWD OMR TND".split(" ");

/** How many digits an amount in the API has after its point: 2 for USD, none for JPY, 3 for KWD. */
export function digitsOf(currency: string): number {
  if (ZERO_DECIMAL.includes(currency)) return 0;
  return THREE_DECIMAL.includes(currency) ? 3 : 2;
}

/** 1900, "USD" -> "$19"; whole amounts without decimals unless `exact`. Yen have no minor unit, dinars three digits. */
export function money(minor: number, currency: string, locale: string, { exact = true } = {}): string {
  const style = { style: "currency", currency } as const;
  const digits = digitsOf(currency);
  const amount = minor / 10 ** digits;
  const whole = !exact && Number.isInteger(amount);
  return new Intl.NumberFormat(locale, { ...style, minimumFractionDigits: whole ? 0 : digits, maximumFractionDigits: whole ? 0 : digits }).format(amount);
}

/** "22 November 2026", in the reader's zone. */
export function date(time: string | number, locale: string): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: "long" }).format(new Date(time));
}

/** "Nov 22, 2026", for tables. */
export function shortDate(time: string | number, locale: string): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: "medium" }).format(new Date(time));
}

/** "Nov 22 – Dec 22, 2026". */
export function period(start: string, end: string, locale: string): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: "medium" }).formatRange(new Date(start), new Date(end));
}

export function dateTime(time: string | number, locale: string): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" }).format(new Date(time));
}

export function number(value: number, locale: string): string {
  return new Intl.NumberFormat(locale).format(value);
}

/** Whole days from now until `time`, at least 0; a started day counts. */
export function daysUntil(time: string, now: number): number {
  return Math.max(0, Math.ceil((Date.parse(time) - now) / 86_400_000));
}

/** What paying yearly saves against twelve months, in whole percent; 0 when it saves nothing or cannot be compared. */
export function yearlySaving(monthly: Plan | undefined, yearly: Plan | undefined): number {
  if (!monthly || !yearly || monthly.currency !== yearly.currency || monthly.price_cents === 0) return 0;
  return Math.max(0, Math.floor((1 - yearly.price_cents / (12 * monthly.price_cents)) * 100));
}

/** The allowance or number behind a feature's value; null for a plain switch. */
export function limitOf(value: FeatureValue | undefined): number | null {
  if (typeof value === "number") return value;
  if (typeof value !== "object") return null;
  const limit = value.limit ?? value.credits;
  return typeof limit === "number" ? limit : null;
}

export function grants(value: FeatureValue | undefined): boolean {
  return value !== undefined && value !== false && value !== 0;
}
