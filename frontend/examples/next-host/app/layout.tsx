import { BillingProvider } from "@bitsleuth/billing-react/gate";
import { RenewalNotice } from "@bitsleuth/billing-react/notice";
import "@bitsleuth/billing-react/styles.css";
import Link from "next/link";
import type { ReactNode } from "react";
import { required } from "../lib/env";
import "./globals.css";
import { ThemeButton } from "./theme-button";

export const metadata = { title: { default: "Wallet Desk", template: "%s · Wallet Desk" } };
/** Every page is the same for everybody and cached at the edge: nothing of a user may be rendered here. */
export const revalidate = 300;

/** Written out, so that the build puts the address in its place: pages are made anew while the server runs. */
const API_URL = required("NEXT_PUBLIC_BILLING_API_URL", process.env.NEXT_PUBLIC_BILLING_API_URL);

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en" suppressHydrationWarning>
      <head>
        <script src="/theme.js" />
      </head>
      <body>
        <BillingProvider apiUrl={API_URL} hostSession="/api/billing/session" locale="en">
          <header className="bar">
            <Link className="brand" href="/">
              Wallet Desk
            </Link>
            <nav aria-label="Main">
              <Link href="/pricing">Pricing</Link>
              <Link href="/account/billing">Billing</Link>
            </nav>
            <ThemeButton />
          </header>
          <main>{children}</main>
          <RenewalNotice />
        </BillingProvider>
      </body>
    </html>
  );
}
