import { format } from "@bitsleuth/billing-react";

export const { digitsOf } = format;

/** "19.50" or "19,50" in USD -> 1950; null when it is no amount of that currency. */
export function minorOf(text: string, currency: string): number | null {
  const match = /^(\d{1,8})(?:[.,](\d*))?$/.exec(text.trim());
  const digits = digitsOf(currency);
  const fraction = match?.[2] ?? "";
  if (!match || fraction.length > digits) return null;
  return Number(match[1]) * 10 ** digits + Number(fraction.padEnd(digits, "0"));
}

/** 1950 in USD -> "19.50": an amount as people write it, for a field. */
export function majorOf(minor: number, currency: string): string {
  const digits = digitsOf(currency);
  return (minor / 10 ** digits).toFixed(digits);
}
