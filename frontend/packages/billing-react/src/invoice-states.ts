import type { Schemas } from "@bitsleuth/billing-api-client";
import type { Tone } from "./ui/Notice.js";

export type InvoiceState = Schemas["InvoiceState"]["state"];

/** The service's states of a bitcoin invoice, for the dialog, the billing page and the list of purchases alike. */
export const INVOICE_TONES: Readonly<Record<InvoiceState, Tone>> = {
  waiting: "plain",
  missing: "warn",
  confirming: "plain",
  expired: "plain",
  held: "warn",
  returning: "plain",
  paid: "good",
  partially_refunded: "good",
  refunded: "plain",
  disputed: "bad",
};

/** What its buyer should hear of before anything else on the billing page. */
export const WORTH_SAYING: ReadonlySet<InvoiceState> = new Set(["missing", "confirming", "held", "returning"]);
