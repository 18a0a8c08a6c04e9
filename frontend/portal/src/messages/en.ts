import type { Message } from "@bitsleuth/billing-react";

const texts = {
  skip: "Skip to content",
  nav: "Pages",
  pricing: "Pricing",
  demo: "Demo",
  billing: "Billing",
  admin: "Admin",
  language: "Language",
  "theme.dark": "Switch to dark",
  "theme.light": "Switch to light",
  signin: "Sign in",
  "signin.about": "Your plan belongs to a key, not to a person. We never ask for a name or an e-mail address.",
  signout: "Sign out",
  footer: "Payments happen at the payment provider. We keep no names, no e-mail addresses and no wallet keys.",
  "pricing.title": "Know your bitcoin. Pay how you like.",
  "pricing.about": "Start free, and stop whenever you want.",
  questions: "Questions and answers",
  return: "Your purchase",
  missing: "Page not found",
  redeem: "Vouchers and gifts",
  "redeem.link": "Redeem a voucher, or give a plan away",
  "missing.about": "There is nothing at this address.",
  "demo.title": "A premium feature, behind its gate",
  "demo.about": "The tax report below belongs to the Pro plan and to the tax-year pass. Buy one of them and it opens.",
  "demo.report": "Gains, first in first out",
  "demo.open": "Open through {source}",
  "demo.method": "Computed on this page from the trades of an invented wallet.",
  "demo.sold": "Sold on",
  "demo.proceeds": "Proceeds",
  "demo.cost": "Cost",
  "demo.gain": "Gain",
  "demo.total": "Total",
} as const satisfies Readonly<Record<string, Message>>;

export type PortalKey = keyof typeof texts;
export type PortalMessages = Readonly<Record<PortalKey, Message>>;
export const en: PortalMessages = texts;
