import { Button, Dialog, ErrorNotice, format, Notice, useBilling } from "@bitsleuth/billing-react";
import { useAcceptInvoice, type Invoice } from "./queries.js";
import { useAdminText } from "./text.js";

/** Lets money count that did not come as agreed: says first what that means, and afterwards what happened. */
export function AcceptDialog({ invoice, onClose }: { invoice: Invoice; onClose: () => void }) {
  const t = useAdminText();
  const { locale } = useBilling();
  const accept = useAcceptInvoice();
  const amount = (cents: number) => format.money(cents, invoice.currency, locale);
  const missing = Math.max(0, invoice.amount_cents - invoice.received_cents);
  const values = { received: amount(invoice.received_cents), price: amount(invoice.amount_cents), plan: invoice.plan_id, missing: amount(missing) };
  return (
    <Dialog onClose={onClose} title={t("accept.title")} description={<span className="bsb-mono">{invoice.user_id}</span>}>
      {accept.isSuccess ? (
        <Notice tone="good" title={t("accept.done", values)} live />
      ) : (
        <>
          <ul className="bsb-stack bsb:gap-2">
            <li>{t("accept.received", values)}</li>
            <li>{t("accept.opens", values)}</li>
            {missing > 0 && <li>{t("accept.missing", values)}</li>}
            <li>{t("accept.books", values)}</li>
          </ul>
          {accept.isError && <ErrorNotice error={accept.error} />}
        </>
      )}
      <div className="bsb-dialog-actions">
        <Button onClick={onClose}>{t(accept.isSuccess ? "close" : "cancel")}</Button>
        {!accept.isSuccess && (
          <Button variant="primary" busy={accept.isPending} onClick={() => accept.mutate(invoice)}>
            {t("accept.do", values)}
          </Button>
        )}
      </div>
    </Dialog>
  );
}
