import type { Schemas } from "@bitsleuth/billing-api-client";
import { Button, Dialog, ErrorNotice, format, Notice, useBilling, useFeatureTexts, usePlans } from "@bitsleuth/billing-react";
import { useState } from "react";
import { majorOf, minorOf } from "./money.js";
import { Field } from "./parts.js";
import { useRefund } from "./queries.js";
import { useAdminText } from "./text.js";

type Refund = Schemas["RefundPayment"];
const REASONS = ["requested_by_customer", "duplicate", "fraudulent"] as const;

interface RefundDialogProps {
  userId: string;
  payment: Pick<Schemas["ReceiptView"], "provider" | "payment_id" | "amount_cents" | "refunded_cents" | "currency">;
  /** The payment waits for a decision: whoever accepts it at the same moment wins or loses, never both. */
  undecided?: boolean;
  onClose: () => void;
}

/** First what it would do, then the typed confirmation, then the refund; one key, so that it cannot happen twice. */
export function RefundDialog({ userId, payment, undecided = false, onClose }: RefundDialogProps) {
  const t = useAdminText();
  const { locale } = useBilling();
  const preview = useRefund(userId);
  const refund = useRefund(userId);
  const { currency } = payment;
  const left = payment.amount_cents - payment.refunded_cents;
  const [key] = useState(() => crypto.randomUUID());
  const [text, setText] = useState(() => majorOf(left, currency));
  const [reason, setReason] = useState<(typeof REASONS)[number]>("requested_by_customer");
  const amount = minorOf(text, currency);
  const valid = amount !== null && amount > 0 && amount <= left;
  const money = (minor: number) => format.money(minor, currency, locale);
  const ask = (dry_run: boolean) => ({
    provider: payment.provider as Refund["provider"],
    payment_id: payment.payment_id,
    amount_cents: amount,
    reason,
    dry_run,
    undecided,
    idempotency_key: dry_run ? `${key}-dry` : key,
  });
  if (refund.data) return <Refunded refund={refund.data} onClose={onClose} />;
  if (preview.data && amount !== null) {
    return (
      <Confirm
        effect={preview.data}
        amount={money(amount)}
        error={refund.error}
        busy={refund.isPending}
        onBack={preview.reset}
        onConfirm={() => refund.mutate(ask(false))}
        onClose={onClose}
      />
    );
  }
  return (
    <Dialog onClose={onClose} title={t("refund")} description={t("refund.of", { amount: money(left) })}>
      <form
        className="bsb-stack"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          if (valid) preview.mutate(ask(true));
        }}
      >
        <Field
          id="refund-amount"
          label={t("refund.amount", { currency })}
          fault={valid || text === "" ? undefined : t("refund.amount.wrong", { amount: money(left), currency })}
        >
          {(field) => (
            <input {...field}
              className="bsb-input bsb-number"
              inputMode="decimal"
              autoComplete="off"
              value={text}
              onChange={(event) => setText(event.target.value)}
            />
          )}
        </Field>
        <Field id="refund-reason" label={t("reason")}>
          {(field) => (
            <select {...field} className="bsb-input" value={reason} onChange={(event) => setReason(event.target.value as typeof reason)}>
              {REASONS.map((name) => (
                <option key={name} value={name}>
                  {t(`refund.${name}`)}
                </option>
              ))}
            </select>
          )}
        </Field>
        {preview.isError && <ErrorNotice error={preview.error} />}
        <div className="bsb-dialog-actions">
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button type="submit" variant="primary" busy={preview.isPending} disabled={!valid}>
            {t("refund.preview")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

interface ConfirmProps {
  effect: Schemas["RefundEffect"];
  amount: string;
  error: unknown;
  busy: boolean;
  onBack: () => void;
  onConfirm: () => void;
  onClose: () => void;
}

function Confirm({ effect, amount, error, busy, onBack, onConfirm, onClose }: ConfirmProps) {
  const t = useAdminText();
  const texts = useFeatureTexts(usePlans().data?.features);
  const [typed, setTyped] = useState("");
  const word = t("refund.word");
  const lost = effect.features_lost.map((key) => texts.name(key)).join(", ");
  return (
    <Dialog onClose={onClose} title={t("refund.do", { amount })} description={<span className="bsb-mono">{effect.payment_id}</span>}>
      <form
        className="bsb-stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (typed === word) onConfirm();
        }}
      >
        <Notice tone={lost ? "warn" : "plain"} live>
          {lost ? t("refund.loses", { features: lost }) : t("refund.keeps")}
        </Notice>
        <Field id="refund-word" label={t("refund.type", { word })}>
          {(field) => <input {...field} className="bsb-input" autoComplete="off" value={typed} onChange={(event) => setTyped(event.target.value)} />}
        </Field>
        {error !== null && <ErrorNotice error={error} />}
        <div className="bsb-dialog-actions">
          <Button onClick={onBack}>{t("back")}</Button>
          <Button type="submit" variant="danger" busy={busy} disabled={typed !== word}>
            {t("refund.do", { amount })}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** What was given back; the link to claim it is shown here and kept nowhere. */
function Refunded({ refund, onClose }: { refund: Schemas["RefundEffect"]; onClose: () => void }) {
  const t = useAdminText();
  const { locale } = useBilling();
  const money = (cents: number) => format.money(cents, refund.currency, locale);
  const whole = refund.outcome === "made";
  const amounts = { amount: money(refund.amount_cents), asked: money(refund.asked_cents) };
  return (
    <Dialog onClose={onClose} title={t("refund")}>
      <Notice tone={whole ? "good" : "warn"} live title={t(whole ? "refund.done" : "refund.partly", amounts)}>
        {refund.error && <p>{refund.error}</p>}
        {refund.claim_url && (
          <>
            {t("invoices.claim")} <span className="bsb-mono">{refund.claim_url}</span>
          </>
        )}
      </Notice>
      <div className="bsb-dialog-actions">
        <Button variant="primary" onClick={onClose}>
          {t("close")}
        </Button>
      </div>
    </Dialog>
  );
}
