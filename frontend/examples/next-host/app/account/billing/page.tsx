import { BillingPage } from "@bitsleuth/billing-react";

export const metadata = { title: "Billing" };

export default function Page() {
  return (
    <>
      <h1>Billing</h1>
      <BillingPage />
    </>
  );
}
