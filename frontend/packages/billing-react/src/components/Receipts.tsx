"use client";

import { lazy, Suspense, useState } from "react";
import { csv, download } from "../csv.js";
import { money, period, shortDate } from "../format.js";
import type { MessageKey } from "../i18n.js";
import { useBilling } from "../provider.js";
import { useReceipts, type Receipt } from "../queries.js";
import { usePaidWith, usePlanName, useT } from "../text.js";
import { Button } from "../ui/Button.js";
import { Icon } from "../ui/Icon.js";
import { ErrorNotice } from "../ui/Notice.js";
import { ScrollArea } from "../ui/ScrollArea.js";
import { SkeletonCard } from "../ui/Skeleton.js";

const ReceiptDialog = lazy(() => import("./ReceiptDialog.js"));

/** Card and bitcoin receipts in one list, each to be looked at and printed. */
export default function Receipts() {
  const t = useT();
  const receipts = useReceipts();
  const list = receipts.data?.receipts ?? [];
  const save = () => {
    const head = [
      "number", "paid_at", "provider", "payment_id", "plan_id", "reason", "period_start", "period_end", "amount_minor", "refunded_minor", "currency", "status",
    ];
    const rows = list.map((r) => [
      r.number,
      r.paid_at,
      r.provider,
      r.payment_id,
      r.plan_id,
      r.reason,
      r.period_start ?? "",
      r.period_end ?? "",
      r.amount_cents,
      r.refunded_cents,
      r.currency,
      r.status,
    ]);
    download("receipts.csv", csv([head, ...rows]));
  };
  return (
    <section className="bsb-stack" aria-labelledby="bsb-receipts">
      <div className="bsb-row bsb-between">
        <h2 className="bsb-h2" id="bsb-receipts">
          {t("receipts.title")}
        </h2>
        {list.length > 0 && (
          <Button size="small" variant="ghost" onClick={save}>
            <Icon name="download" size={16} />
            CSV
          </Button>
        )}
      </div>
      {!receipts.data ? (
        receipts.isError ? (
          <ErrorNotice error={receipts.error} onRetry={() => void receipts.refetch()} />
        ) : (
          <SkeletonCard lines={3} />
        )
      ) : list.length === 0 ? (
        <p className="bsb-card bsb-2">{t("receipts.none")}</p>
      ) : (
        <ReceiptTable receipts={list} />
      )}
    </section>
  );
}

function ReceiptTable({ receipts }: { receipts: readonly Receipt[] }) {
  const t = useT();
  const { locale } = useBilling();
  const paidWith = usePaidWith();
  const named = usePlanName();
  const [shown, setShown] = useState<Receipt | null>(null);
  return (
    <>
      <ScrollArea labelledBy="bsb-receipts">
        <table className="bsb-table">
          <thead>
            <tr>
              <th scope="col">{t("receipts.date")}</th>
              <th scope="col" className="bsb-end">
                {t("receipts.amount")}
              </th>
              <th scope="col">{t("receipts.status")}</th>
              <th scope="col">
                <span className="bsb-hidden">{t("receipts.receipt")}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {receipts.map((receipt) => (
              <tr key={`${receipt.provider}/${receipt.payment_id}`}>
                <th scope="row">
                  <span className="bsb:whitespace-nowrap">{shortDate(receipt.paid_at, locale)}</span>
                  <p className="bsb-2 bsb-tiny bsb:font-normal">
                    {named(receipt)} · {t(`receipts.reason.${receipt.reason}`)}
                  </p>
                  <p className="bsb-2 bsb-tiny bsb:font-normal">
                    {receipt.period_start && receipt.period_end && `${period(receipt.period_start, receipt.period_end, locale)} · `}
                    <span className="bsb-hidden">{t("receipts.paid_with")} </span>
                    {paidWith(receipt.provider)}
                  </p>
                </th>
                <td className="bsb-end bsb-number">{money(receipt.amount_cents, receipt.currency, locale)}</td>
                <td>
                  {t(`payment.${receipt.status}` as MessageKey)}
                  {receipt.refunded_cents > 0 && receipt.refunded_cents < receipt.amount_cents && (
                    <p className="bsb-2 bsb-tiny bsb-number bsb:whitespace-nowrap">−{money(receipt.refunded_cents, receipt.currency, locale)}</p>
                  )}
                </td>
                <td className="bsb-end">
                  <button type="button" className="bsb-link" onClick={() => setShown(receipt)}>
                    {t("receipts.receipt")}
                    <span className="bsb-hidden"> {shortDate(receipt.paid_at, locale)}</span>
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </ScrollArea>
      {shown && (
        <Suspense>
          <ReceiptDialog of={shown} onClose={() => setShown(null)} />
        </Suspense>
      )}
    </>
  );
}
