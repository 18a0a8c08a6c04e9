"use client";

import { useState } from "react";
import { date, dateTime, money } from "../format.js";
import type { MessageKey, Translate } from "../i18n.js";
import { INVOICE_TONES, WORTH_SAYING } from "../invoice-states.js";
import { useBilling } from "../provider.js";
import type { Status } from "../queries.js";
import { usePlanName, useT } from "../text.js";
import { Button } from "../ui/Button.js";
import { classes } from "../ui/classes.js";
import { Notice } from "../ui/Notice.js";
import { InvoiceDialog } from "./InvoiceDialog.js";

const CARD_TONES: Readonly<Record<string, string>> = { paid: "good", pending: "warn", processing: "warn", failed: "bad", disputed: "bad" };

type Row = Status["purchases"][number];

const rowsOf = (status: Status): Row[] => [...status.terms, ...status.purchases];

/** How long it lasts; of what gives nothing (yet, or any more), what is the matter, or nothing. */
function about(row: Row, locale: string, t: Translate): string {
  const amount = (cents: number) => money(cents, row.currency, locale);
  if (row.invoice?.state === "missing" || row.invoice?.state === "held") {
    return t("purchases.received", { received: amount(row.invoice.received_cents), price: amount(row.amount_cents) });
  }
  if (row.ended_at && row.end_reason) return t(`closed.${row.end_reason}`, { date: date(row.ended_at, locale) });
  if (row.access_until) return t("purchases.until", { date: date(row.access_until, locale) });
  return row.open ? t("purchases.for_good") : "";
}

/** Bitcoin that is on its way, incomplete, or waits for somebody: said before all else. */
export function MoneyUnderWay({ status }: { status: Status }) {
  const t = useT();
  const { locale } = useBilling();
  const named = usePlanName();
  const [paying, setPaying] = useState<Row | null>(null);
  const rows = rowsOf(status).filter(({ invoice }) => invoice && WORTH_SAYING.has(invoice.state));
  return (
    <>
      {rows.map((row) => {
        if (!row.invoice) return null;
        const { state, payable, received_cents } = row.invoice;
        const values = {
          plan: named(row),
          price: money(row.amount_cents, row.currency, locale),
          received: money(received_cents, row.currency, locale),
          time: row.payable_until ? dateTime(row.payable_until, locale) : "",
        };
        return (
          <Notice
            key={row.purchase_id}
            tone={INVOICE_TONES[state]}
            title={`${named(row)}: ${t(`invoice.${state}`)}`}
            action={
              <Button size="small" onClick={() => setPaying(row)}>
                {t(payable ? "purchases.pay" : "purchases.look")}
              </Button>
            }
          >
            {t(state === "missing" ? "purchases.missing_about" : `invoice.${state}.about`, values)}
          </Notice>
        );
      })}
      {paying && <Invoice row={paying} onClose={() => setPaying(null)} />}
    </>
  );
}

function Invoice({ row, onClose }: { row: Row; onClose: () => void }) {
  const named = usePlanName();
  return <InvoiceDialog of={{ provider: row.provider, purchaseId: row.purchase_id }} plan={named(row)} onClose={onClose} />;
}

/** One-time purchases and prepaid terms, those with trouble explained. */
export function Purchases({ status }: { status: Status }) {
  const t = useT();
  const { locale } = useBilling();
  const named = usePlanName();
  const [paying, setPaying] = useState<Row | null>(null);
  const rows = rowsOf(status);
  if (rows.length === 0) return null;
  const badge = ({ invoice, status: paid }: Row) =>
    invoice
      ? { tone: INVOICE_TONES[invoice.state], text: t(`invoice.${invoice.state}`) }
      : { tone: CARD_TONES[paid], text: t(`payment.${paid}` as MessageKey) };
  return (
    <section className="bsb-stack" aria-labelledby="bsb-purchases">
      <h2 className="bsb-h2" id="bsb-purchases">
        {t("purchases.title")}
      </h2>
      <ul className="bsb-card bsb-card-flush">
        {rows.map((row) => (
          <li key={row.purchase_id} className="bsb-row bsb-between bsb:border-b bsb:border-(--bsb-border) bsb:px-4 bsb:py-3 bsb:last:border-0">
            <div>
              <p className="bsb:font-medium">{named(row)}</p>
              <p className="bsb-2 bsb-small">{about(row, locale, t)}</p>
            </div>
            <div className="bsb-row bsb:ms-auto bsb:justify-end">
              {row.invoice?.watched && row.invoice.state !== "expired" && (
                <Button size="small" onClick={() => setPaying(row)}>
                  {t(row.invoice.payable ? "purchases.pay" : "purchases.look")}
                </Button>
              )}
              <span className={classes("bsb-badge", badge(row).tone && `bsb-badge-${badge(row).tone}`)}>{badge(row).text}</span>
              <span className="bsb-number bsb:min-w-16 bsb:text-end">{money(row.amount_cents, row.currency, locale)}</span>
            </div>
          </li>
        ))}
      </ul>
      {paying && <Invoice row={paying} onClose={() => setPaying(null)} />}
    </section>
  );
}
