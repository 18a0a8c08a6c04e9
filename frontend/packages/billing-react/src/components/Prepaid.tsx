"use client";

import type { Schemas } from "@bitsleuth/billing-api-client";
import { lazy, Suspense, useState } from "react";
import { date } from "../format.js";
import { useBilling } from "../provider.js";
import { usePlans, useReminders, useRenew, type Status } from "../queries.js";
import { usePlanName, useT } from "../text.js";
import { Button } from "../ui/Button.js";
import { ErrorNotice, NotRead } from "../ui/Notice.js";
import { SkeletonCard } from "../ui/Skeleton.js";
import { InvoiceDialog } from "./InvoiceDialog.js";

// With its texts and the camera, after the page: few connect a wallet.
const WalletRenewal = lazy(() => import("../wallet/WalletRenewal.js"));

/** Time that is paid ahead in bitcoin: when it ends, the next invoice in one click, reminders as a choice. Then wallets
 * that are connected where nothing is paid ahead (any more): one that was just removed still says so. */
export function Prepaid({ status: { renewals = [], wallets = [] } }: { status: Status }) {
  const [walletsAtFirst] = useState(wallets);
  const ahead = renewals.map(({ group }) => group);
  return (
    <>
      {renewals.map((renewal) => (
        <Renewal key={renewal.group} renewal={renewal} />
      ))}
      {[...new Set([...walletsAtFirst, ...wallets])].map(
        (group) =>
          !ahead.includes(group) && (
            <Suspense key={group} fallback={<SkeletonCard heading lines={3} />}>
              <WalletRenewal group={group} />
            </Suspense>
          ),
      )}
    </>
  );
}

function Renewal({ renewal }: { renewal: Schemas["RenewalView"] }) {
  const t = useT();
  const { locale } = useBilling();
  const named = usePlanName();
  const reminders = useReminders();
  // Shown at once, within the click; taken back when the service refuses.
  const [asked, setAsked] = useState<boolean | null>(null);
  function remind(on: boolean) {
    setAsked(on);
    reminders.mutate({ group: renewal.group, on }, { onSettled: () => setAsked(null) });
  }
  const plans = usePlans();
  const sold = plans.data?.plans.find(({ plan_id }) => plan_id === renewal.plan_id);
  const plan = sold ? named({ plan_name: sold.name, interval: sold.interval }) : plans.isPending ? "…" : renewal.plan_id;
  const byVoucher = renewal.provider === "voucher";
  const id = `bsb-prepaid-${renewal.group}`;
  return (
    <section className="bsb-card bsb-stack" aria-labelledby={id}>
      <div className="bsb-row bsb-between">
        <div>
          <h2 className="bsb-h2" id={id}>
            {t(byVoucher ? "prepaid.voucher" : "prepaid.title")}
          </h2>
          <p className="bsb-2">
            {t("prepaid.until", { plan, date: date(renewal.ends_at, locale) })} {renewal.by_wallet !== "renews" && t("prepaid.by_hand")}
          </p>
        </div>
        <RenewButton of={{ group: renewal.group, plan }} label={t(byVoucher ? "prepaid.go_on" : "prepaid.renew")} />
      </div>
      <label className="bsb-check">
        <input
          type="checkbox"
          checked={asked ?? renewal.reminders}
          onChange={(event) => remind(event.target.checked)}
        />
        <span>{t("prepaid.remind")}</span>
      </label>
      {reminders.isError && <ErrorNotice error={reminders.error} />}
      <NotRead of={plans} />
      <Suspense>
        <WalletRenewal group={renewal.group} plan={sold} beside />
      </Suspense>
    </section>
  );
}

/** Opens the invoice for the next term of what was paid in bitcoin, right here. `of` null: nothing is to be renewed (any
 * more); what was opened stays to be read. */
export function RenewButton({ of, label }: { of: { group: string; plan: string } | null; label: string }) {
  const renew = useRenew();
  const [open, setOpen] = useState<string | null>(null);
  return (
    <>
      {of && (
        <Button
          variant="primary"
          busy={renew.isPending}
          onClick={() => renew.mutate(of.group, { onSuccess: () => setOpen(of.plan) })}
        >
          {label}
        </Button>
      )}
      {renew.isError && <ErrorNotice error={renew.error} />}
      {open !== null && renew.data && (
        <InvoiceDialog
          of={{ checkoutId: renew.data.checkout_id }}
          url={renew.data.url}
          plan={open}
          {...(of ? { onAgain: () => renew.mutate(of.group) } : {})}
          onClose={() => setOpen(null)}
        />
      )}
    </>
  );
}
