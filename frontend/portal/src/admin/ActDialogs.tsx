import type { Schemas } from "@bitsleuth/billing-api-client";
import { Button, Dialog, ErrorNotice, FeatureChanges, format, Notice, SkeletonLines, useBilling, useOptionalText } from "@bitsleuth/billing-react";
import { useEffect, useState } from "react";
import { Field } from "./parts.js";
import { useCancelFor, useResumeFor } from "./queries.js";
import { NextStep, type Subscription } from "./SubscriptionCard.js";
import { useAdminText } from "./text.js";

type Effect = Schemas["SubscriptionEffect"];
const REASONS = ["too_expensive", "missing_features", "switched_service", "unused", "customer_service", "too_complex", "low_quality", "other"] as const;

interface ActProps {
  userId: string;
  subscription: Subscription;
  onClose: () => void;
}

/** An end, now or with the period: what is lost and when, then the act, then what happened. */
export function CancelDialog({ userId, subscription, atEnd, onClose }: ActProps & { atEnd: boolean }) {
  const t = useAdminText();
  const optional = useOptionalText();
  const [later, setLater] = useState(atEnd);
  const [reason, setReason] = useState<(typeof REASONS)[number] | "">("");
  const preview = useCancelFor(userId, subscription.subscription_id);
  const cancel = useCancelFor(userId, subscription.subscription_id);
  const { mutate } = preview;
  useEffect(() => mutate({ at_period_end: later, dry_run: true }), [mutate, later]);
  if (cancel.data) return <Done title={t("sub.cancel")} effect={cancel.data} onClose={onClose} />;
  return (
    <Dialog onClose={onClose} title={t("sub.cancel")} description={<span className="bsb-mono">{subscription.subscription_id}</span>}>
      {atEnd && (
        <fieldset className="bsb-stack bsb:gap-2">
          <legend className="bsb-hidden">{t("sub.cancel.when")}</legend>
          {[true, false].map((choice) => (
            <label key={String(choice)} className="bsb-choice">
              <input type="radio" name="when" checked={choice === later} onChange={() => setLater(choice)} />
              <span>{t(choice ? "sub.cancel.at_end" : "sub.cancel.now")}</span>
            </label>
          ))}
        </fieldset>
      )}
      <Field id="cancel-reason" label={t("reason.optional")}>
        {(field) => (
          <select {...field} className="bsb-input" value={reason} onChange={(event) => setReason(event.target.value as typeof reason)}>
            <option value="">{t("choose")}</option>
            {REASONS.map((name) => (
              <option key={name} value={name}>
                {optional("reason", name) ?? name}
              </option>
            ))}
          </select>
        )}
      </Field>
      {preview.isError && <ErrorNotice error={preview.error} onRetry={() => mutate({ at_period_end: later, dry_run: true })} />}
      {preview.isPending && <SkeletonLines lines={3} />}
      {preview.data && <Lost effect={preview.data} />}
      {cancel.isError && <ErrorNotice error={cancel.error} />}
      <div className="bsb-dialog-actions">
        <Button onClick={onClose}>{t("back")}</Button>
        <Button variant="danger" busy={cancel.isPending} disabled={!preview.data} onClick={() => cancel.mutate({ at_period_end: later, reason: reason || null, dry_run: false })}>
          {t(later ? "sub.cancel.do_end" : "sub.cancel.do_now")}
        </Button>
      </div>
    </Dialog>
  );
}

/** Takes back what was scheduled, once it was seen what comes then. */
export function ResumeDialog({ userId, subscription, onClose }: ActProps) {
  const t = useAdminText();
  const preview = useResumeFor(userId, subscription.subscription_id);
  const resume = useResumeFor(userId, subscription.subscription_id);
  const { mutate } = preview;
  useEffect(() => mutate(true), [mutate]);
  if (resume.data) return <Done title={t("sub.resume")} effect={resume.data} onClose={onClose} />;
  return (
    <Dialog onClose={onClose} title={t("sub.resume")} description={<span className="bsb-mono">{subscription.subscription_id}</span>}>
      {preview.isError && <ErrorNotice error={preview.error} />}
      {preview.isPending && <SkeletonLines lines={2} />}
      {preview.data && (
        <Notice live>
          <NextStep subscription={preview.data.subscription} />
        </Notice>
      )}
      {resume.isError && <ErrorNotice error={resume.error} />}
      <div className="bsb-dialog-actions">
        <Button onClick={onClose}>{t("back")}</Button>
        <Button variant="primary" busy={resume.isPending} disabled={!preview.data} onClick={() => resume.mutate(false)}>
          {t("sub.resume")}
        </Button>
      </div>
    </Dialog>
  );
}

function Lost({ effect }: { effect: Effect }) {
  const t = useAdminText();
  const { locale } = useBilling();
  const lost = effect.if_canceled;
  if (!lost) return null;
  const keeps = lost.features.length === 0;
  return (
    <>
      <Notice tone={keeps ? "plain" : "warn"} live title={t("sub.cancel.until", { date: format.dateTime(lost.access_until, locale) })}>
        <ul className="bsb-small">
          {keeps && <li>{t("refund.keeps")}</li>}
          {lost.waived_cents > 0 && <li>{t("sub.cancel.waives", { amount: format.money(lost.waived_cents, lost.currency, locale) })}</li>}
          <li>{t("sub.cancel.no_refund")}</li>
        </ul>
      </Notice>
      <FeatureChanges title={t("sub.cancel.after")} changes={lost.features} />
    </>
  );
}

/** What happened, in the words of what comes next. */
export function Done({ title, effect, onClose }: { title: string; effect: Effect; onClose: () => void }) {
  const t = useAdminText();
  return (
    <Dialog onClose={onClose} title={title}>
      <Notice tone="good" live title={t(effect.outcome === "unchanged" ? "act.unchanged" : "act.done")}>
        <NextStep subscription={effect.subscription} />
      </Notice>
      <div className="bsb-dialog-actions">
        <Button variant="primary" onClick={onClose}>
          {t("close")}
        </Button>
      </div>
    </Dialog>
  );
}
