"use client";

import type { Schemas } from "@bitsleuth/billing-api-client";
import { useState } from "react";
import { date, money } from "../format.js";
import { useBilling } from "../provider.js";
import { once, useCancel } from "../queries.js";
import { usePlanName, useT } from "../text.js";
import { Button } from "../ui/Button.js";
import { Dialog } from "../ui/Dialog.js";
import { ErrorNotice, Notice } from "../ui/Notice.js";
import { FeatureChanges } from "./FeatureChanges.js";

type Reason = NonNullable<Schemas["CancelSubscription"]["reason"]>;
const REASONS: readonly Reason[] = [
  "too_expensive",
  "missing_features",
  "unused",
  "switched_service",
  "too_complex",
  "low_quality",
  "customer_service",
  "other",
];

export interface CancelDialogProps {
  subscription: Schemas["SubscriptionView"];
  onClose: () => void;
  /** Told in words what was done. */
  onDone: (said: string) => void;
  /** Opens the choice of plans: the one alternative that is offered. */
  onSwitch?: () => void;
}

/** When it ends, what is lost, why (if one likes to say), done. */
export default function CancelDialog({ subscription, onClose, onDone, onSwitch }: CancelDialogProps) {
  const t = useT();
  const { locale } = useBilling();
  const named = usePlanName();
  const cancel = useCancel();
  const [reason, setReason] = useState<Reason | "">("");
  const [comment, setComment] = useState("");
  const effect = subscription.if_canceled;
  const plan = named(subscription);
  const submit = () =>
    once(
      cancel.mutateAsync({
        subscription_id: subscription.subscription_id,
        at_period_end: true,
        ...(reason ? { reason } : {}),
        ...(comment.trim() ? { comment: comment.trim() } : {}),
      }),
      (status) => {
        const after = status.subscriptions.find(({ subscription_id }) => subscription_id === subscription.subscription_id);
        const end = after?.ended_at ?? after?.access_until;
        onDone(end ? t("cancel.done", { plan, date: date(end, locale) }) : t("cancel.done_now", { plan }));
        onClose();
      },
    );
  return (
    <Dialog
      onClose={onClose}
      title={t("cancel.title", { plan })}
      description={effect && t("cancel.until", { date: date(effect.access_until, locale) })}
    >
      {effect && effect.waived_cents > 0 && (
        <Notice>{t("cancel.waives", { price: money(effect.waived_cents, effect.currency, locale) })}</Notice>
      )}
      {effect && <FeatureChanges title={t("cancel.changes")} changes={effect.features} />}
      <div className="bsb-field">
        <label className="bsb-label" htmlFor="bsb-reason">
          {t("cancel.why")}
        </label>
        <select
          id="bsb-reason"
          className="bsb-input"
          value={reason}
          onChange={(event) => setReason(event.target.value as Reason | "")}
        >
          <option value="">{t("cancel.no_reason")}</option>
          {REASONS.map((name) => (
            <option key={name} value={name}>
              {t(`reason.${name}`)}
            </option>
          ))}
        </select>
      </div>
      {reason !== "" && (
        <div className="bsb-field">
          <label className="bsb-label" htmlFor="bsb-comment">
            {t("cancel.comment")}
          </label>
          <textarea
            id="bsb-comment"
            className="bsb-input"
            rows={2}
            maxLength={500}
            value={comment}
            onChange={(event) => setComment(event.target.value)}
          />
        </div>
      )}
      {reason === "too_expensive" && onSwitch && (
        <Notice
          action={
            <Button size="small" onClick={onSwitch}>
              {t("cancel.switch_do")}
            </Button>
          }
        >
          {t("cancel.switch")}
        </Notice>
      )}
      {cancel.isError && <ErrorNotice error={cancel.error} />}
      <div className="bsb-dialog-actions">
        <Button onClick={onClose}>{t("cancel.keep")}</Button>
        <Button variant="danger" busy={cancel.isPending} onClick={submit}>
          {t("cancel.do")}
        </Button>
      </div>
    </Dialog>
  );
}
