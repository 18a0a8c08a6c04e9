import { Button, Dialog, ErrorNotice } from "@bitsleuth/billing-react";
import { useState } from "react";
import { Field } from "../parts.js";
import { useAdminText } from "../text.js";
import { useRevokeVouchers, type BatchDetail } from "./queries.js";
import { useVouchersText } from "./texts.js";

interface RevokeDialogProps {
  batch: BatchDetail;
  /** One voucher, used or not; without it all that are unused. */
  line?: BatchDetail["vouchers"][number];
  /** How many it were: none where somebody was faster. */
  onRevoked: (count: number) => void;
  onClose: () => void;
}

/** Takes vouchers back, with the reason. */
export function RevokeDialog({ batch, line, onRevoked, onClose }: RevokeDialogProps) {
  const t = useVouchersText();
  const common = useAdminText();
  const revoke = useRevokeVouchers(batch.batch_id);
  const [reason, setReason] = useState("");
  const [returned, setReturned] = useState(false);
  const used = line !== undefined && line.state !== "ready";
  const title = line ? t("revoke.number", { number: line.number }) : t("revoke.title");
  const about = line ? t(used ? "revoke.used" : "revoke.single") : t("revoke.about", { count: batch.counts.ready });
  return (
    <Dialog onClose={onClose} title={title} description={about}>
      <form
        className="bsb-stack"
        onSubmit={(event) => {
          event.preventDefault();
          revoke.mutate(
            { reason, used, returned, numbers: line ? [line.number] : null },
            {
              onSuccess: ({ revoked }) => {
                onRevoked(revoked);
                onClose();
              },
            },
          );
        }}
      >
        <Field id="revoke-reason" label={t("reason")}>
          {(field) => <input {...field} className="bsb-input" required maxLength={500} value={reason} onChange={(event) => setReason(event.target.value)} />}
        </Field>
        {used && batch.sold_cents > 0 && (
          <label className="bsb-check">
            <input type="checkbox" checked={returned} onChange={(event) => setReturned(event.target.checked)} />
            <span>{t("revoke.returned")}</span>
          </label>
        )}
        {revoke.isError && <ErrorNotice error={revoke.error} />}
        <div className="bsb-dialog-actions">
          <Button onClick={onClose}>{common("cancel")}</Button>
          <Button type="submit" variant="danger" busy={revoke.isPending}>
            {t("revoke.one")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
