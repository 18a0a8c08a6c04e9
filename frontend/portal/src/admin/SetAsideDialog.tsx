import type { Schemas } from "@bitsleuth/billing-api-client";
import { Button, Dialog, ErrorNotice, Notice } from "@bitsleuth/billing-react";
import { useState } from "react";
import { Field } from "./parts.js";
import { useSetAside } from "./queries.js";
import { useAdminText } from "./text.js";

/** What will never be ours: out of the lists, the queue and the alarms, with the reason in the audit log. */
export function SetAsideDialog({ event, onClose }: { event: Schemas["PaymentEventView"]; onClose: () => void }) {
  const t = useAdminText();
  const aside = useSetAside();
  const [reason, setReason] = useState("");
  const skipped = aside.data?.items.find(({ outcome }) => outcome === "skipped");
  return (
    <Dialog onClose={onClose} title={t("aside.title")} description={t("aside.about")}>
      <form
        className="bsb-stack"
        onSubmit={(submitted) => {
          submitted.preventDefault();
          aside.mutate(
            { event_ids: [event.event_id], reason: reason.trim() },
            { onSuccess: ({ items }) => items.every(({ outcome }) => outcome !== "skipped") && onClose() },
          );
        }}
      >
        <p className="bsb-small">
          {event.type} <span className="bsb-2 bsb-mono">{event.event_id}</span>
        </p>
        <Field id="aside-reason" label={t("reason")} hint={t("aside.reason")}>
          {(field) => <input {...field} className="bsb-input" required maxLength={500} value={reason} onChange={(e) => setReason(e.target.value)} />}
        </Field>
        {skipped && (
          <Notice tone="warn" live>
            {t("aside.skipped")}
          </Notice>
        )}
        {aside.isError && <ErrorNotice error={aside.error} />}
        <div className="bsb-dialog-actions">
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button type="submit" variant="primary" busy={aside.isPending} disabled={reason.trim() === ""}>
            {t("aside")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
