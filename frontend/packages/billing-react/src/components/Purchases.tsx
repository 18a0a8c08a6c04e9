"use client";

import { useState } from "react";
import { date, money } from "../format.js";
import type { MessageKey, Translate } from "../i18n.js";
import { useBilling } from "../provider.js";
import { useProviders, type Status } from "../queries.js";
import { useT } from "../text.js";
import { Button } from "../ui/Button.js";
import { classes } from "../ui/classes.js";
import { InvoiceDialog } from "./InvoiceDialog.js";

const TONES: Readonly<Record<string, string>> = {
  paid: "good",
  pending: "warn",
  processing: "warn",
  underpaid: "warn",
  paid_late: "warn",
  failed: "bad",
  disputed: "bad",
};

type Row = Status["purchases"][number];

/** How long it lasts; of what gives nothing (yet, or any more), what is the matter, or nothing. */
function about({ status, due_cents, currency, access_until, ended_at, end_reason, open }: Row, locale: string, t: Translate): string {
  if (status === "underpaid") return t("purchases.underpaid", { due: money(due_cents, currency, locale) });
  if (status === "paid_late") return t("purchases.paid_late");
  if (ended_at && end_reason) return t(`closed.${end_reason}`, { date: date(ended_at, locale) });
  if (access_until) return t("purchases.until", { date: date(access_until, locale) });
  return open ? t("purchases.for_good") : "";
}

/** One-time purchases and prepaid terms, those with trouble explained. */
export function Purchases({ status }: { status: Status }) {
  const t = useT();
  const { locale } = useBilling();
  const { isBitcoin } = useProviders();
  const [paying, setPaying] = useState<{ provider: string; purchase_id: string; plan_name: string } | null>(null);
  const rows: Row[] = [...status.terms, ...status.purchases];
  if (rows.length === 0) return null;
  return (
    <section className="bsb-stack" aria-labelledby="bsb-purchases">
      <h2 className="bsb-h2" id="bsb-purchases">
        {t("purchases.title")}
      </h2>
      <ul className="bsb-card bsb-card-flush">
        {rows.map((row) => (
          <li key={row.purchase_id} className="bsb-row bsb-between bsb:border-b bsb:border-(--bsb-border) bsb:px-4 bsb:py-3 bsb:last:border-0">
            <div>
              <p className="bsb:font-medium">{row.plan_name}</p>
              <p className="bsb-2 bsb-small">
                {about(row, locale, t)}
              </p>
            </div>
            <div className="bsb-row bsb:ms-auto bsb:justify-end">
              {(row.status === "underpaid" || row.status === "pending") && isBitcoin(row.provider) && (
                <Button size="small" onClick={() => setPaying(row)}>
                  {t("purchases.pay")}
                </Button>
              )}
              <span className={classes("bsb-badge", TONES[row.status] && `bsb-badge-${TONES[row.status]}`)}>
                {t(`payment.${row.status}` as MessageKey)}
              </span>
              <span className="bsb-number bsb:min-w-16 bsb:text-end">{money(row.amount_cents, row.currency, locale)}</span>
            </div>
          </li>
        ))}
      </ul>
      {paying && (
        <InvoiceDialog
          of={{ provider: paying.provider, purchaseId: paying.purchase_id }}
          plan={paying.plan_name}
          onClose={() => setPaying(null)}
        />
      )}
    </section>
  );
}
