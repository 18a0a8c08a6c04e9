"use client";

import type { Schemas } from "@bitsleuth/billing-api-client";
import { lazy, Suspense, useState } from "react";
import { date } from "../format.js";
import { useBilling } from "../provider.js";
import { usePlans, useReminders, useRenew, type Status } from "../queries.js";
import { useT } from "../text.js";
import { Button } from "../ui/Button.js";
import { ErrorNotice } from "../ui/Notice.js";
import { InvoiceDialog } from "./InvoiceDialog.js";

// With its texts and the camera, after the page: few connect a wallet.
const WalletRenewal = lazy(() => import("../wallet/WalletRenewal.js"));

/** Time that is paid ahead in bitcoin: when it ends, the next invoice in one click, reminders as a choice. */
export function Prepaid({ status }: { status: Status }) {
  return status.renewals?.map((renewal) => <Renewal key={renewal.group} renewal={renewal} />);
}

function Renewal({ renewal }: { renewal: Schemas["RenewalView"] }) {
  const t = useT();
  const { locale } = useBilling();
  const reminders = useReminders();
  // Shown at once, within the click; taken back when the service refuses.
  const [asked, setAsked] = useState<boolean | null>(null);
  function remind(on: boolean) {
    setAsked(on);
    reminders.mutate({ group: renewal.group, on }, { onSettled: () => setAsked(null) });
  }
  const sold = usePlans().data?.plans.find(({ plan_id }) => plan_id === renewal.plan_id);
  const plan = sold?.name ?? renewal.plan_id;
  const id = `bsb-prepaid-${renewal.group}`;
  return (
    <section className="bsb-card bsb-stack" aria-labelledby={id}>
      <div className="bsb-row bsb-between">
        <div>
          <h2 className="bsb-h2" id={id}>
            {t("prepaid.title")}
          </h2>
          <p className="bsb-2">{t("prepaid.until", { plan, date: date(renewal.ends_at, locale) })}</p>
        </div>
        <RenewButton group={renewal.group} plan={plan} label={t("prepaid.renew")} />
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
      <Suspense>
        <WalletRenewal group={renewal.group} plan={sold} />
      </Suspense>
    </section>
  );
}

/** Opens the invoice for the next term of what was paid in bitcoin, right here. */
export function RenewButton({ group, plan, label }: { group: string; plan: string; label: string }) {
  const renew = useRenew();
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button variant="primary" busy={renew.isPending} onClick={() => renew.mutate(group, { onSuccess: () => setOpen(true) })}>
        {label}
      </Button>
      {renew.isError && <ErrorNotice error={renew.error} />}
      {open && renew.data && (
        <InvoiceDialog
          of={{ checkoutId: renew.data.checkout_id }}
          url={renew.data.url}
          plan={plan}
          onAgain={() => renew.mutate(group)}
          onClose={() => setOpen(false)}
        />
      )}
    </>
  );
}
