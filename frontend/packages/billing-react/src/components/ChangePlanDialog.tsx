"use client";

import type { Schemas } from "@bitsleuth/billing-api-client";
import { useEffect, useState } from "react";
import { date, money, type Plan } from "../format.js";
import { liveSubscription } from "../offers.js";
import { useBilling } from "../provider.js";
import { useChangePlan, usePlans, usePreviewChange, useStatus } from "../queries.js";
import { useFeatureTexts } from "../text-of-feature.js";
import { useT } from "../text.js";
import { Button } from "../ui/Button.js";
import { Dialog } from "../ui/Dialog.js";
import { ErrorNotice, Notice } from "../ui/Notice.js";
import { SkeletonLines } from "../ui/Skeleton.js";

export interface ChangePlanDialogProps {
  /** Preset; absent: the dialog starts with the choice. */
  planId?: string;
  onClose: () => void;
}

/** Choose another plan, see what it costs today and next, agree, done. */
export function ChangePlanDialog({ planId, onClose }: ChangePlanDialogProps) {
  const t = useT();
  const [chosen, setChosen] = useState(planId ?? null);
  const name = usePlans().data?.plans.find((plan) => plan.plan_id === chosen)?.name ?? "";
  return (
    <Dialog onClose={onClose} title={chosen ? t("change.title_to", { plan: name }) : t("change.title")}>
      {chosen ? (
        <Confirm planId={chosen} onBack={planId ? onClose : () => setChosen(null)} onDone={onClose} />
      ) : (
        <ChoosePlan onChoose={setChosen} />
      )}
    </Dialog>
  );
}

function ChoosePlan({ onChoose }: { onChoose: (planId: string) => void }) {
  const t = useT();
  const { locale } = useBilling();
  const catalogue = usePlans();
  const current = liveSubscription(useStatus().data);
  const [value, setValue] = useState("");
  if (!catalogue.data) return <SkeletonLines lines={4} />;
  const own = catalogue.data.plans.find((plan) => plan.plan_id === current?.plan_id);
  const others = catalogue.data.plans.filter(
    (plan) => plan.group === own?.group && plan.price_cents > 0 && plan.interval !== "once" && plan.plan_id !== current?.plan_id,
  );
  if (others.length === 0) return <p className="bsb-2">{t("change.no_other")}</p>;
  const price = (plan: Plan) =>
    t(`price.${plan.interval}`, { price: money(plan.price_cents, plan.currency, locale, { exact: false }) });
  return (
    <>
      {own && <p className="bsb-2 bsb-small">{t("change.from", { plan: own.name, price: price(own) })}</p>}
      <fieldset className="bsb-stack bsb:gap-2">
        <legend className="bsb-hidden">{t("change.title")}</legend>
        {others.map((plan) => (
          <label key={plan.plan_id} className="bsb-choice">
            <input type="radio" name="bsb-plan" checked={value === plan.plan_id} onChange={() => setValue(plan.plan_id)} />
            <span className="bsb-row bsb-between bsb:grow">
              <span className="bsb:font-medium">{plan.name}</span>
              <span className="bsb-2 bsb-number">{price(plan)}</span>
            </span>
          </label>
        ))}
      </fieldset>
      <div className="bsb-dialog-actions">
        <Button variant="primary" disabled={value === ""} onClick={() => onChoose(value)}>
          {t("change.preview")}
        </Button>
      </div>
    </>
  );
}

function Confirm({ planId, onBack, onDone }: { planId: string; onBack: () => void; onDone: () => void }) {
  const t = useT();
  const { locale } = useBilling();
  const preview = usePreviewChange();
  const change = useChangePlan();
  const [agreed, setAgreed] = useState(false);
  const { mutate } = preview;
  useEffect(() => mutate(planId), [mutate, planId]);

  if (preview.isError) return <ErrorNotice error={preview.error} onRetry={() => mutate(planId)} />;
  if (!preview.data) return <SkeletonLines lines={5} />;
  const { data } = preview;
  const charged = data.amount_due_cents > 0;
  return (
    <>
      <PreviewFacts preview={data} />
      <Difference preview={data} />
      {charged && (
        <label className="bsb-check">
          <input type="checkbox" checked={agreed} onChange={(event) => setAgreed(event.target.checked)} />
          <span>{t("change.consent", { amount: money(data.amount_due_cents, data.currency, locale) })}</span>
        </label>
      )}
      {change.isError && <ErrorNotice error={change.error} onRetry={() => mutate(planId)} />}
      <div className="bsb-dialog-actions">
        <Button onClick={onBack}>{t("back")}</Button>
        <Button
          variant="primary"
          busy={change.isPending}
          disabled={charged && !agreed}
          onClick={() => change.mutate(data.preview_id, { onSuccess: onDone })}
        >
          {t(data.at_period_end ? "change.schedule" : "change.now")}
        </Button>
      </div>
    </>
  );
}

type Preview = Schemas["ChangePreviewView"];

function PreviewFacts({ preview }: { preview: Preview }) {
  const t = useT();
  const { locale } = useBilling();
  const plan = usePlans().data?.plans.find(({ plan_id }) => plan_id === preview.plan_id);
  const amount = (cents: number) => money(cents, preview.currency, locale);
  return (
    <dl className="bsb-facts">
      <dt>{t("change.takes_effect")}</dt>
      <dd>{preview.at_period_end ? date(preview.effective_at, locale) : t("change.at_once")}</dd>
      {preview.credit_cents > 0 && (
        <>
          {preview.amount_due_cents > 0 && (
            <>
              <dt>{t("change.rest", { plan: plan?.name ?? "" })}</dt>
              <dd>{amount(preview.amount_due_cents + preview.credit_cents)}</dd>
            </>
          )}
          <dt>{t("change.credit")}</dt>
          <dd>−{amount(preview.credit_cents)}</dd>
        </>
      )}
      <dt className="bsb-facts-total">{t("purchase.due_today")}</dt>
      <dd className="bsb-facts-total">{amount(preview.amount_due_cents)}</dd>
      <dt>{t("change.next", { date: date(preview.next_billing_at, locale) })}</dt>
      <dd>{amount(preview.next_amount_cents)}</dd>
    </dl>
  );
}

function Difference({ preview }: { preview: Preview }) {
  const t = useT();
  const texts = useFeatureTexts(usePlans().data?.features);
  const list = (keys: readonly string[]) => keys.map((key) => texts.name(key)).join(", ");
  return (
    <>
      {preview.features_gained.length > 0 && (
        <Notice tone="good">{t("change.gained", { features: list(preview.features_gained) })}</Notice>
      )}
      {preview.features_lost.length > 0 && (
        <Notice tone="warn">{t("change.lost", { features: list(preview.features_lost) })}</Notice>
      )}
    </>
  );
}
