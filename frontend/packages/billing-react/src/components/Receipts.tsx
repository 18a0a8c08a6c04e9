"use client";

import { csv, download } from "../csv.js";
import { money, shortDate } from "../format.js";
import type { MessageKey } from "../i18n.js";
import { useBilling } from "../provider.js";
import { usePlans, useProviders, useReceipts } from "../queries.js";
import { usePlanName, useT } from "../text.js";
import { Button } from "../ui/Button.js";
import { Icon } from "../ui/Icon.js";
import { ErrorNotice } from "../ui/Notice.js";
import { ScrollArea } from "../ui/ScrollArea.js";
import { SkeletonCard } from "../ui/Skeleton.js";

/** Card and bitcoin receipts in one list. */
export function Receipts() {
  const t = useT();
  const receipts = useReceipts();
  const list = receipts.data?.receipts ?? [];
  const save = () => {
    const head = ["paid_at", "provider", "payment_id", "plan_id", "amount_minor", "refunded_minor", "currency", "status"];
    const rows = list.map((r) => [
      r.paid_at,
      r.provider,
      r.payment_id,
      r.plan_id ?? "",
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

function ReceiptTable({ receipts }: { receipts: NonNullable<ReturnType<typeof useReceipts>["data"]>["receipts"] }) {
  const t = useT();
  const { locale } = useBilling();
  const plans = usePlans().data?.plans;
  const { isBitcoin } = useProviders();
  const named = usePlanName();
  /** "Card · Pro, monthly" */
  const what = ({ provider, plan_id }: (typeof receipts)[number]) => {
    const known = plans?.find((candidate) => candidate.plan_id === plan_id);
    const plan = known ? named({ plan_name: known.name, interval: known.interval }) : plan_id;
    return [t(isBitcoin(provider) ? "rail.bitcoin" : "rail.card"), plan].filter(Boolean).join(" · ");
  };
  return (
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
                  <span className="bsb-hidden">{t("receipts.paid_with")} </span>
                  {what(receipt)}
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
                {receipt.url && (
                  <a href={receipt.url} rel="noreferrer" target="_blank">
                    {t("receipts.receipt")}
                    <span className="bsb-hidden"> {shortDate(receipt.paid_at, locale)}</span>
                  </a>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollArea>
  );
}
