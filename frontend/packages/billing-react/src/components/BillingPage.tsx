"use client";

import { lazy, Suspense, useState } from "react";
import { useAccountKey } from "../key.js";
import { useEntitlements, useInBrowser, useUserId } from "../provider.js";
import { useStatus } from "../queries.js";
import { useT } from "../text.js";
import { ErrorNotice } from "../ui/Notice.js";
import { SkeletonCard } from "../ui/Skeleton.js";
import { BillingKey } from "./BillingKey.js";
import { OpenCheckout } from "./OpenCheckout.js";
import { PlanSection } from "./PlanSection.js";
import { Prepaid } from "./Prepaid.js";
import { MoneyUnderWay, Purchases } from "./Purchases.js";
import { SignIn, wasScanned } from "./SignIn.js";
import { SignInAgain } from "./SignInAgain.js";
import { Vouchers } from "../vouchers/index.js";
import { UsageMeter } from "./UsageMeter.js";

// The last on the page.
const Receipts = lazy(() => import("./Receipts.js"));

export interface BillingPageProps {
  pricingUrl?: string;
}

/** Everything a buyer may want to see or do: plan, usage, changes, receipts, the key that holds it. */
export function BillingPage({ pricingUrl = "/pricing" }: BillingPageProps) {
    const t = useT();
  const userId = useUserId();
  const inBrowser = useInBrowser();
  const status = useStatus();
  const account = useAccountKey(status.data);
  const [scannedAs] = useState(() => inBrowser && wasScanned() && userId);
  if (!inBrowser) return <BillingSkeleton />;
  if (userId === null) {
    return (
      <section className="bsb bsb-card bsb-stack bsb:max-w-md">
        <SignInAgain />
      </section>
    );
  }
  // What was read before stays on the page when a later reading fails.
  if (!status.data) {
    return status.isError ? (
      <div className="bsb">
        <ErrorNotice error={status.error} onRetry={() => void status.refetch()} />
      </div>
    ) : (
      <BillingSkeleton />
    );
  }
  return (
    <div className="bsb bsb-stack bsb:gap-6">
      {scannedAs === userId && (
        <section className="bsb-card bsb-stack" aria-labelledby="bsb-scanned">
          <h2 className="bsb-h2" id="bsb-scanned">
            {t("signin.scanned")}
          </h2>
          <p className="bsb-2">{t("signin.scanned_about")}</p>
          <SignIn existing />
        </section>
      )}
      <OpenCheckout checkout={status.data.checkout} />
      <MoneyUnderWay status={status.data} />
      <PlanSection status={status.data} pricingUrl={pricingUrl} />
      <Prepaid status={status.data} />
      <Usage />
      <Purchases status={status.data} />
      <Vouchers />
      <Suspense fallback={<SkeletonCard heading lines={3} />}>
        <Receipts />
      </Suspense>
      <BillingKey account={account} />
    </div>
  );
}

function Usage() {
  const t = useT();
  const { entitlements, state } = useEntitlements();
  const metered = entitlements?.entitlements.filter((e) => e.remaining !== null && e.remaining !== undefined) ?? [];
  // Its place is kept, so that what stands below does not move.
  if (!entitlements && state === "loading") return <SkeletonCard heading lines={4} />;
  if (metered.length === 0) return null;
  return (
    <section className="bsb-card bsb-stack bsb:gap-5" aria-labelledby="bsb-usage">
      <h2 className="bsb-h2" id="bsb-usage">
        {t("usage.title")}
      </h2>
      {metered.map((entitlement) => (
        <UsageMeter key={entitlement.feature} entitlement={entitlement} />
      ))}
    </section>
  );
}

function BillingSkeleton() {
  return (
    <div className="bsb bsb-stack bsb:gap-6">
      {[4, 3, 4].map((lines, card) => (
        <SkeletonCard key={card} heading lines={lines} />
      ))}
    </div>
  );
}
