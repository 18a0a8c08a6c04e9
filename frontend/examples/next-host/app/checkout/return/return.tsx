"use client";

import { CheckoutReturn } from "@bitsleuth/billing-react";
import { useSearchParams } from "next/navigation";

export function Return() {
  return <CheckoutReturn checkoutId={useSearchParams().get("checkout_id") ?? ""} continueUrl="/" />;
}
