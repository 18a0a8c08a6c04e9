"use client";

import type { Schemas } from "@bitsleuth/billing-api-client";
import { useCallback, useEffect, useState } from "react";
import { date, money, type Plan } from "../format.js";
import { useBilling } from "../provider.js";
import { useChangePlan, usePlans, usePreviewChange, useQuotes } from "../queries.js";
import { usePlanName, useT } from "../text.js";
import { Button } from "../ui/Button.js";
import { Dialog } from "../ui/Dialog.js";
import { ErrorNotice, NotRead } from "../ui/Notice.js";
import { SkeletonLines } from "../ui/Skeleton.js";
import { FeatureChanges } from "./FeatureChanges.js";

export interface ChangePlanDialogProps {
  /** Preset; absent: the dialog starts with the choice. */
  planId?: string;
  /** Of several, which; absent: the only one. */
  subscriptionId?: string;
  onClose: () => void;
  /** Told in words what was done. */
  onDone?: (said: string) => void;
}

/** Choose another plan, see what it costs today and next, agree, done. */
export default function ChangePlanDialog({ planId, subscriptionId, onClose, onDone }: ChangePlanDialogProps) {
  const t = useT();
  const named = usePlanName();
  const [chosen, setChosen] = useState(planId ?? null);
  const plan = usePlans().data?.plans.find((candidate) => candidate.plan_id === chosen);
  const name = plan ? named({ plan_name: plan.name, interval: plan.interval }) : "";
  const done = (said: string) => {
    onDone?.(said);
    onClose();
  };
  return (
    <Dialog onClose={onClose} title={chosen ? t("change.title_to", { plan: name }) : t("change.title")}>
      {chosen ? (
        <Confirm planId={chosen} subscriptionId={subscriptionId} plan={name} onBack={planId ? onClose : () => setChosen(null)} onDone={done} />
      ) : (
        <ChoosePlan onChoose={setChosen} />
      )}
    </Dialog>
  );
}

function ChoosePlan({ onChoose }: { onChoose: (planId: string) => void }) {
  const t = useT();
  const { locale } = useBilling();
  const named = usePlanName();
  const catalogue = usePlans();
  const { quotes, error, refetch } = useQuotes();
  const [value, setValue] = useState("");
  if (catalogue.isError && !catalogue.data) return <NotRead of={catalogue} />;
  if (error !== null && !quotes) return <ErrorNotice error={error} onRetry={refetch} />;
  if (!catalogue.data || !quotes) return <SkeletonLines lines={4} />;
  const moveTo = (plan: Plan) => quotes.get(plan.plan_id)?.move ?? "";
  const own = catalogue.data.plans.find((plan) => moveTo(plan) === "current");
  const others = catalogue.data.plans.filter((plan) => ["upgrade", "downgrade", "switch"].includes(moveTo(plan)));
  if (others.length === 0) return <p className="bsb-2">{t("change.no_other")}</p>;
  const price = (plan: Plan) =>
    t(`price.${plan.interval}`, { price: money(plan.price_cents, plan.currency, locale, { exact: false }) });
  const nameOf = (plan: Plan) => named({ plan_name: plan.name, interval: plan.interval });
  return (
    <>
      {own && <p className="bsb-2 bsb-small">{t("change.from", { plan: nameOf(own), price: price(own) })}</p>}
      <fieldset className="bsb-stack bsb:gap-2">
        <legend className="bsb-hidden">{t("change.title")}</legend>
        {others.map((plan) => (
          <label key={plan.plan_id} className="bsb-choice">
            <input type="radio" name="bsb-plan" checked={value === plan.plan_id} onChange={() => setValue(plan.plan_id)} />
            <span className="bsb-row bsb-between bsb:grow">
              <span className="bsb:font-medium">{nameOf(plan)}</span>
              <span className="bsb-2 bsb-number">{price(plan)}</span>
            </span>
          </label>
        ))}
      </fieldset>
      <div className="bsb-dialog-actions">
        <Button variant="primary" disabled={value === ""}
          onClick={(event) => {
            // The button goes: the dialog keeps the focus, and gives it to what comes next.
            event.currentTarget.closest("dialog")?.focus();
            onChoose(value);
          }}
        >
          {t("change.preview")}
        </Button>
      </div>
    </>
  );
}

interface ConfirmProps {
  planId: string;
  subscriptionId: string | undefined;
  plan: string;
  onBack: () => void;
  onDone: (said: string) => void;
}

function Confirm({ planId, subscriptionId, plan, onBack, onDone }: ConfirmProps) {
  const t = useT();
  const { locale } = useBilling();
  const preview = usePreviewChange();
  const change = useChangePlan();
  const [agreed, setAgreed] = useState(false);
  const { mutate } = preview;
  const ask = useCallback(
    () => mutate({ plan_id: planId, ...(subscriptionId ? { subscription_id: subscriptionId } : {}) }),
    [mutate, planId, subscriptionId],
  );
  useEffect(ask, [ask]);

  if (preview.isError) return <ErrorNotice error={preview.error} onRetry={ask} />;
  if (!preview.data) return <SkeletonLines lines={5} />;
  const { data } = preview;
  const charged = data.amount_due_cents > 0;
  const said = data.at_period_end
    ? t("change.done_later", { plan, date: date(data.effective_at, locale) })
    : t(charged ? "change.done_paid" : "change.done", { plan, amount: money(data.amount_due_cents, data.currency, locale) });
  return (
    <>
      <PreviewFacts preview={data} />
      <FeatureChanges title={t("change.features")} changes={data.features} />
      {charged && (
        <label className="bsb-check">
          <input type="checkbox" checked={agreed} onChange={(event) => setAgreed(event.target.checked)} />
          <span>{t("change.consent", { amount: money(data.amount_due_cents, data.currency, locale) })}</span>
        </label>
      )}
      {change.isError && <ErrorNotice error={change.error} onRetry={ask} />}
      <div className="bsb-dialog-actions">
        <Button onClick={onBack}>{t("back")}</Button>
        <Button
          variant="primary"
          main={!charged}
          busy={change.isPending}
          disabled={charged && !agreed}
          onClick={() => change.mutate(data.preview_id, { onSuccess: () => onDone(said) })}
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
      {preview.tax_cents > 0 && (
        <>
          <dt>{t("change.tax")}</dt>
          <dd>{amount(preview.tax_cents)}</dd>
        </>
      )}
      <dt>{t("change.next", { date: date(preview.next_billing_at, locale) })}</dt>
      <dd>{amount(preview.next_amount_cents)}</dd>
      {preview.next_discount_cents > 0 && (
        <>
          <dt>{t("change.discount")}</dt>
          <dd>−{amount(preview.next_discount_cents)}</dd>
        </>
      )}
      {preview.next_tax_cents > 0 && (
        <>
          <dt>{t("change.tax")}</dt>
          <dd>{amount(preview.next_tax_cents)}</dd>
        </>
      )}
    </dl>
  );
}
