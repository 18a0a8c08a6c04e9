import type { Schemas } from "@bitsleuth/billing-api-client";
import { Button, Dialog, ErrorNotice, format, Notice, useBilling, useFeatureTexts, usePlans } from "@bitsleuth/billing-react";
import { useState } from "react";
import { Field } from "./PlanEditor.js";
import { useRefund } from "./queries.js";
import { useAdminText } from "./text.js";

type Refund = Schemas["RefundPayment"];
const REASONS = ["requested_by_customer", "duplicate", "fraudulent"] as const;

interface RefundDialogProps {
  userId: string;
  payment: Schemas["ReceiptView"];
  onClose: () => void;
}

/** First what it would do, then the typed confirmation, then the refund; one key, so that it cannot happen twice. */
export function RefundDialog({ userId, payment, onClose }: RefundDialogProps) {
  const t = useAdminText();
  const { locale } = useBilling();
  const preview = useRefund(userId);
  const refund = useRefund(userId);
  const left = payment.amount_cents - payment.refunded_cents;
  const [key] = useState(() => crypto.randomUUID());
  const [amount, setAmount] = useState(left);
  const [reason, setReason] = useState<(typeof REASONS)[number]>("requested_by_customer");
  const [typed, setTyped] = useState("");
  const body = (dry_run: boolean): Refund => ({
    provider: payment.provider as Refund["provider"],
    payment_id: payment.payment_id,
    amount_cents: amount,
    reason,
    dry_run,
    idempotency_key: dry_run ? `${key}-dry` : key,
  });
  const text = format.money(amount, payment.currency, locale);
  const word = t("refund.word");
  return (
    <Dialog onClose={onClose} title={t("refund")} description={t("refund.of", { amount: format.money(left, payment.currency, locale) })}>
      <form
        className="bsb-stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (preview.data) refund.mutate(body(false), { onSuccess: onClose });
          else preview.mutate(body(true));
        }}
      >
        <Field id="refund-amount" label={t("refund.amount", { currency: payment.currency })}>
          <input
            id="refund-amount"
            className="bsb-input"
            type="number"
            required
            min={1}
            max={left}
            value={amount}
            readOnly={preview.data !== undefined}
            onChange={(event) => setAmount(event.target.valueAsNumber || 0)}
          />
          <p className="bsb-2 bsb-tiny">{text}</p>
        </Field>
        <Field id="refund-reason" label={t("reason")}>
          <select id="refund-reason" className="bsb-input" value={reason} onChange={(event) => setReason(event.target.value as typeof reason)}>
            {REASONS.map((name) => (
              <option key={name} value={name}>
                {t(`refund.${name}`)}
              </option>
            ))}
          </select>
        </Field>
        {preview.data && (
          <>
            <Effect effect={preview.data} />
            <Field id="refund-word" label={t("refund.type", { word })}>
              <input id="refund-word" className="bsb-input" autoComplete="off" value={typed} onChange={(event) => setTyped(event.target.value)} />
            </Field>
          </>
        )}
        {(preview.isError || refund.isError) && <ErrorNotice error={refund.error ?? preview.error} />}
        <div className="bsb-dialog-actions">
          <Button onClick={onClose}>{t("cancel")}</Button>
          {preview.data ? (
            <Button type="submit" variant="danger" busy={refund.isPending} disabled={typed !== word}>
              {t("refund.do", { amount: text })}
            </Button>
          ) : (
            <Button type="submit" variant="primary" busy={preview.isPending}>
              {t("refund.preview")}
            </Button>
          )}
        </div>
      </form>
    </Dialog>
  );
}

function Effect({ effect }: { effect: Schemas["RefundEffect"] }) {
  const t = useAdminText();
  const texts = useFeatureTexts(usePlans().data?.features);
  if (effect.features_lost.length === 0) return <Notice live>{t("refund.keeps")}</Notice>;
  return (
    <Notice tone="warn" live>
      {t("refund.loses", { features: effect.features_lost.map((key) => texts.name(key)).join(", ") })}
    </Notice>
  );
}
