import { Button, Dialog, ErrorNotice, format, Notice, useBilling } from "@bitsleuth/billing-react";
import { useAcceptInvoice, type Invoice } from "./queries.js";
import { useAdminText } from "./text.js";

/** Lets money count that did not come as agreed, or takes note of what vanished: says first what that means, and afterwards
    what happened. */
export function AcceptDialog({ invoice, onClose }: { invoice: Invoice; onClose: () => void }) {
  const t = useAdminText();
  const { locale } = useBilling();
  const accept = useAcceptInvoice();
  const amount = (cents: number) => format.money(cents, invoice.currency, locale);
  const missing = Math.max(0, invoice.amount_cents - invoice.received_cents);
  const values = { received: amount(invoice.received_cents), price: amount(invoice.amount_cents), plan: invoice.plan_id, missing: amount(missing) };
  const gone = invoice.vanished_cents > 0 && <li>{t("invoices.vanished", { amount: amount(invoice.vanished_cents) })}</li>;
  const noting = invoice.undecided_cents === 0;
  return (
    <Dialog onClose={onClose} title={t(noting ? "accept.note_title" : "accept.title")} description={<span className="bsb-mono">{invoice.user_id}</span>}>
      {accept.isSuccess ? (
        <Notice tone="good" title={t(noting ? "accept.noted" : "accept.done", values)} live />
      ) : (
        <>
          {noting ? (
            <ul className="bsb-stack bsb:gap-2">
              {gone}
              <li>{t("accept.note_books")}</li>
              <li>{t("accept.note_list")}</li>
            </ul>
          ) : (
            <ul className="bsb-stack bsb:gap-2">
              {gone}
              <li>{t("accept.received", values)}</li>
              <li>{t("accept.opens", values)}</li>
              {missing > 0 && <li>{t("accept.missing", values)}</li>}
              <li>{t("accept.books", values)}</li>
            </ul>
          )}
          {accept.isError && <ErrorNotice error={accept.error} />}
        </>
      )}
      <div className="bsb-dialog-actions">
        <Button onClick={onClose}>{t(accept.isSuccess ? "close" : "cancel")}</Button>
        {!accept.isSuccess && (
          <Button variant="primary" busy={accept.isPending} onClick={() => accept.mutate(invoice)}>
            {noting ? t("invoices.note") : t("accept.do", values)}
          </Button>
        )}
      </div>
    </Dialog>
  );
}
