"use client";

import { lazy, Suspense, useEffect, useState, type ComponentType } from "react";
import { useAccountKey } from "../key.js";
import { useEntitlements, useInBrowser, useUserId } from "../provider.js";
import { useStatus, type Status } from "../queries.js";
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
import type { RenewalNoticeProps } from "../reminders/RenewalNotice.js";
import { Vouchers } from "../vouchers/index.js";
import { takeReturned } from "../wallet/returned.js";
import { UsageMeter } from "./UsageMeter.js";

// Stands above the rest, which waits for it so that nothing moves; on its way while the status is.
// Without it, should it not load, the page is still there.
const loadNotice = () =>
  import("../reminders/RenewalNotice.js").then(
    ({ RenewalNotice }) => ({ default: RenewalNotice }),
    () => ({ default: () => null }),
  );
const RenewalNotice = lazy<ComponentType<RenewalNoticeProps>>(loadNotice);
// After the page: few look for them at once.
const Reminders = lazy(() => import("../reminders/Reminders.js"));
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
  useEffect(() => void loadNotice(), []);
  // What a wallet brought back can pay: it leaves the address before anything else is done.
  useState(() => inBrowser && takeReturned());
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
    <Suspense fallback={<BillingSkeleton />}>
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
        <RenewalNotice status={withoutProblems(status.data)} billingUrl="" placement="inline" />
        <OpenCheckout checkout={status.data.checkout} />
        <MoneyUnderWay status={status.data} />
        <PlanSection status={status.data} pricingUrl={pricingUrl} />
        <Prepaid status={status.data} />
        <Usage />
        <Purchases status={status.data} />
        <Vouchers />
        <Suspense fallback={<SkeletonCard heading lines={4} />}>
          <Reminders />
        </Suspense>
        <Suspense fallback={<SkeletonCard heading lines={3} />}>
          <Receipts />
        </Suspense>
        <BillingKey account={account} />
      </div>
    </Suspense>
  );
}

/** A payment that failed has its own place on this page, with what there is to do. */
function withoutProblems(status: Status): Status {
  return { ...status, ends: status.ends?.filter(({ act }) => act !== "fix_payment") ?? [] };
}

function Usage() {
  const t = useT();
  const { entitlements, state, error, refresh } = useEntitlements();
  // Its place is kept, so that what stands below does not move.
  if (!entitlements && state === "loading") return <SkeletonCard heading lines={4} />;
  const metered = entitlements?.entitlements.filter((e) => e.remaining !== null && e.remaining !== undefined) ?? [];
  if (!entitlements && state === "unknown") {
    return (
      <section className="bsb-stack" aria-labelledby="bsb-usage">
        <h2 className="bsb-h2" id="bsb-usage">
          {t("usage.title")}
        </h2>
        <ErrorNotice error={error} onRetry={() => void refresh()} />
      </section>
    );
  }
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
