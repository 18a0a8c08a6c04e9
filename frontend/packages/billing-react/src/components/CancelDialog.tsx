"use client";

import type { Schemas } from "@bitsleuth/billing-api-client";
import { useState } from "react";
import { date, grants } from "../format.js";
import { useBilling } from "../provider.js";
import { useCancel, usePlans } from "../queries.js";
import { useFeatureTexts } from "../text-of-feature.js";
import { useT } from "../text.js";
import { Button } from "../ui/Button.js";
import { Dialog } from "../ui/Dialog.js";
import { ErrorNotice, Notice } from "../ui/Notice.js";

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
  /** Opens the choice of plans: the one alternative that is offered. */
  onSwitch?: () => void;
}

/** When it ends, what is lost, why (if one likes to say), done. */
export function CancelDialog({ subscription, onClose, onSwitch }: CancelDialogProps) {
  const t = useT();
  const { locale } = useBilling();
  const cancel = useCancel();
  const [reason, setReason] = useState<Reason | "">("");
  const [comment, setComment] = useState("");
  const end = date(subscription.current_period_end, locale);
  const submit = () =>
    cancel.mutate(
      { at_period_end: true, ...(reason ? { reason } : {}), ...(comment.trim() ? { comment: comment.trim() } : {}) },
      { onSuccess: onClose },
    );
  return (
    <Dialog
      onClose={onClose}
      title={t("cancel.title", { plan: subscription.plan_name })}
      description={t("cancel.until", { date: end })}
    >
      <Losses planId={subscription.plan_id} />
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

/** What the free plan does not have. */
function Losses({ planId }: { planId: string }) {
  const t = useT();
  const catalogue = usePlans().data;
  const texts = useFeatureTexts(catalogue?.features);
  const plan = catalogue?.plans.find((candidate) => candidate.plan_id === planId);
  const free = catalogue?.plans.find((candidate) => candidate.price_cents === 0);
  const lost = Object.keys(plan?.features ?? {}).filter(
    (key) => grants(plan?.features[key]) && !grants(free?.features[key]),
  );
  if (lost.length === 0) return null;
  return <Notice tone="warn">{t("cancel.lose", { features: lost.map((key) => texts.name(key)).join(", ") })}</Notice>;
}
