import { Button, ErrorNotice, format, SkeletonCard, useBilling } from "@bitsleuth/billing-react";
import { useState } from "react";
import { setQueryParam, useQueryParam } from "../router.js";
import { AcceptDialog } from "./AcceptDialog.js";
import { useMay } from "./may.js";
import { Empty, StatusBadge, UserLink } from "./parts.js";
import { useInvoices, useRereadInvoice, type Invoice } from "./queries.js";
import { RefundDialog } from "./RefundDialog.js";
import { useAdminText } from "./text.js";
import { waiting } from "./UserPage.js";

/** Bitcoin invoices: those that wait for a decision, and all that are not final. */
export function InvoicesPage() {
  const t = useAdminText();
  const flagged = useQueryParam("show") !== "all";
  const invoices = useInvoices(flagged);
  return (
    <div className="bsb-stack bsb:gap-6">
      <h1 className="bsb-h1">{t("invoices")}</h1>
      <fieldset className="bsb-segments bsb:self-start">
        <legend className="bsb-hidden">{t("status")}</legend>
        {[true, false].map((choice) => (
          <label key={String(choice)}>
            <input
              type="radio"
              name="show"
              checked={choice === flagged}
              onChange={() => setQueryParam("show", choice ? "flagged" : "all")}
            />
            {t(choice ? "invoices.flagged" : "invoices.open")}
          </label>
        ))}
      </fieldset>
      {invoices.isError && <ErrorNotice error={invoices.error} onRetry={() => void invoices.refetch()} />}
      {invoices.isPending && <SkeletonCard lines={4} />}
      {Object.entries(invoices.data?.cannot_see ?? {}).map(([provider, unseen]) =>
        unseen.map((what) => (
          <p key={`${provider}/${what}`} className="bsb-2 bsb-tiny" role="note">
            {t("invoices.cannot_see", { provider, what: what === "refunds_until_complete" ? t("invoices.refunds_until_complete") : what })}
          </p>
        )),
      )}
      {invoices.data?.invoices.length === 0 && <Empty>{t(flagged ? "invoices.none" : "invoices.none_open")}</Empty>}
      {invoices.data && invoices.data.invoices.length > 0 && (
        <ul className="bsb-stack bsb:gap-3">
          {invoices.data.invoices.map((invoice) => (
            <InvoiceCard key={`${invoice.provider}/${invoice.purchase_id}`} invoice={invoice} />
          ))}
        </ul>
      )}
    </div>
  );
}

function InvoiceCard({ invoice }: { invoice: Invoice }) {
  const t = useAdminText();
  const { locale } = useBilling();
  const may = useMay();
  const reread = useRereadInvoice();
  const [refunding, setRefunding] = useState(false);
  const [accepting, setAccepting] = useState(false);
  const amount = (cents: number) => format.money(cents, invoice.currency, locale);
  return (
    <li className="bsb-card bsb-stack bsb:gap-3">
      <div className="bsb-row bsb-between bsb:items-start">
        <div className="bsb:min-w-0">
          <h2 className="bsb-h3">{t("invoices.of", { received: amount(invoice.received_cents), price: amount(invoice.amount_cents) })}</h2>
          <p className="bsb-2 bsb-tiny">
            {invoice.plan_id} · {invoice.provider} · {format.dateTime(invoice.created_at, locale)} ·{" "}
            <UserLink userId={invoice.user_id} />
          </p>
        </div>
        <StatusBadge of="payment" status={invoice.status} />
      </div>
      {invoice.undecided_cents > 0 && <p className="bsb-2">{t("invoices.undecided", { amount: amount(invoice.undecided_cents) })}</p>}
      {invoice.vanished_cents > 0 && <p className="bsb-2">{t("invoices.vanished", { amount: amount(invoice.vanished_cents) })}</p>}
      {invoice.refunds
        .filter((refund) => refund.waits_for)
        .map((refund) => (
          <p key={refund.refund_id} className="bsb-2 bsb-tiny">
            {t(`invoices.waits.${refund.waits_for ?? "claim"}`, { amount: amount(refund.amount_cents) })}
          </p>
        ))}
      {reread.isError && <ErrorNotice error={reread.error} />}
      <div className="bsb-row">
        {invoice.needs_decision && may("POST /admin/invoices/{provider}/{purchase_id}/accept") && (
          <Button size="small" variant="primary" onClick={() => setAccepting(true)}>
            {t(invoice.undecided_cents > 0 ? "invoices.accept" : "invoices.note")}
          </Button>
        )}
        {invoice.undecided_cents > 0 && may("POST /admin/users/{user_id}/refunds") && (
          <Button size="small" onClick={() => setRefunding(true)}>
            {t("refund")}
          </Button>
        )}
        {may("POST /admin/invoices/{provider}/{purchase_id}/reread") && (
          <Button size="small" variant="ghost" busy={reread.isPending} onClick={() => reread.mutate(invoice)}>
            {t("invoices.reread")}
          </Button>
        )}
      </div>
      {accepting && <AcceptDialog invoice={invoice} onClose={() => setAccepting(false)} />}
      {refunding && <RefundDialog userId={invoice.user_id} payment={waiting(invoice)} undecided onClose={() => setRefunding(false)} />}
    </li>
  );
}
