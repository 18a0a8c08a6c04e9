import { PricingTable } from "@bitsleuth/billing-react";

export const metadata = { title: "Pricing" };

export default function Page() {
  return (
    <>
      <h1>Pricing</h1>
      <p className="lead">Pay by card or in bitcoin. No account, no e-mail address.</p>
      <PricingTable />
    </>
  );
}
