"use client";

import { unwrap, type Schemas } from "@bitsleuth/billing-api-client";
import { useQuery } from "@tanstack/react-query";
import { Fragment, type ReactNode } from "react";
import { date, money, period } from "../format.js";
import { useBilling } from "../provider.js";
import { useQueries, type Receipt } from "../queries.js";
import { usePaidWith, usePlanName, useT } from "../text.js";
import { Button, ButtonLink } from "../ui/Button.js";
import { Dialog } from "../ui/Dialog.js";
import { Icon } from "../ui/Icon.js";
import { ErrorNotice } from "../ui/Notice.js";
import { SkeletonLines } from "../ui/Skeleton.js";

type Document = Schemas["ReceiptDocument"];

/** A receipt with all that belongs on paper; what is printed is the receipt alone. */
export default function ReceiptDialog({ of, onClose }: { of: Receipt; onClose: () => void }) {
  const t = useT();
  const { client } = useBilling();
  const path = { provider: of.provider, payment_id: of.payment_id };
  const queryFn = () => unwrap(client.GET("/billing/receipts/{provider}/{payment_id}", { params: { path } }));
  const receipt = useQuery({ queryKey: ["receipt", path], queryFn }, useQueries());
  return (
    <Dialog onClose={onClose} title={t("receipts.receipt")} width="34rem" prints>
      {receipt.data ? (
        <Paper receipt={receipt.data} />
      ) : receipt.isError ? (
        <ErrorNotice error={receipt.error} onRetry={() => void receipt.refetch()} />
      ) : (
        <SkeletonLines lines={10} />
      )}
      <div className="bsb-dialog-actions">
        {of.url && (
          <ButtonLink href={of.url} variant="ghost" rel="noreferrer" target="_blank">
            {t("receipts.providers")}
            <Icon name="external" size={16} />
          </ButtonLink>
        )}
        <Button onClick={onClose}>{t("close")}</Button>
        <Button variant="primary" disabled={!receipt.data} onClick={() => globalThis.print()}>
          {t("print")}
        </Button>
      </div>
    </Dialog>
  );
}

function Paper({ receipt }: { receipt: Document }) {
  const t = useT();
  const { locale } = useBilling();
  const named = usePlanName();
  const paidWith = usePaidWith();
  const amount = (cents: number) => money(cents, receipt.currency, locale);
  const { bitcoin } = receipt;
  const kept = receipt.amount_cents - receipt.refunded_cents;
  const lines: (readonly [string, ReactNode, "total"?] | null | false | "")[] = [
    [t("receipts.number"), receipt.number],
    [t("receipts.date"), date(receipt.paid_at, locale)],
    [t("receipts.what"), `${named(receipt)} · ${t(`receipts.reason.${receipt.reason}`)}`],
    receipt.period_start && receipt.period_end && [t("receipts.period"), period(receipt.period_start, receipt.period_end, locale)],
    [t("receipts.account"), <span className="bsb-mono">{receipt.user_id}</span>],
    [t("receipts.paid_with"), paidWith(receipt.provider)],
    bitcoin?.amount_btc ? [t("invoice.amount_label"), t("invoice.amount", { btc: bitcoin.amount_btc })] : null,
    bitcoin?.rate_cents != null && [t("receipts.rate"), amount(bitcoin.rate_cents)],
    bitcoin && bitcoin.transactions.length > 0 && [t("receipts.transaction"), <span className="bsb-mono">{bitcoin.transactions.join(" ")}</span>],
    [t("receipts.net"), amount(receipt.net_cents)],
    [t("receipts.tax"), amount(receipt.tax_cents)],
    [t("receipts.total"), amount(receipt.amount_cents), "total"],
    receipt.refunded_cents > 0 && [t("payment.refunded"), `−${amount(receipt.refunded_cents)}`],
    receipt.refunded_cents > 0 && [t("receipts.kept"), amount(kept), "total"],
  ];
  return (
    <div className="bsb-stack">
      {receipt.seller.length > 0 && (
        <address className="bsb-small bsb:not-italic">
          {receipt.seller.map((line) => (
            <span key={line} className="bsb:block">
              {line}
            </span>
          ))}
        </address>
      )}
      <dl className="bsb-facts">
        {lines.map(
          (line) =>
            line && (
              <Fragment key={line[0]}>
                <dt className={line[2] && "bsb-facts-total"}>{line[0]}</dt>
                <dd className={line[2] && "bsb-facts-total"}>{line[1]}</dd>
              </Fragment>
            ),
        )}
      </dl>
      {receipt.seller.length === 0 && <p className="bsb-2 bsb-tiny">{t("receipts.no_seller")}</p>}
    </div>
  );
}
