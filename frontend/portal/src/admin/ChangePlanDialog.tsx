import type { Schemas } from "@bitsleuth/billing-api-client";
import { Button, Dialog, ErrorNotice, FeatureChanges, format, Notice, NotRead, useBilling, usePlans } from "@bitsleuth/billing-react";
import { useState } from "react";
import { Done } from "./ActDialogs.js";
import { Field } from "./parts.js";
import { useChangeFor, usePreviewChangeFor } from "./queries.js";
import type { Subscription } from "./SubscriptionCard.js";
import { useAdminText } from "./text.js";

/** Another plan: what it costs now and next and what it gives and takes, then the change for that price. */
export function ChangePlanDialog({ userId, subscription, onClose }: { userId: string; subscription: Subscription; onClose: () => void }) {
  const t = useAdminText();
  const { locale } = useBilling();
  const catalogue = usePlans();
  const plans = catalogue.data?.plans ?? [];
  const current = plans.find((plan) => plan.plan_id === subscription.plan_id);
  const [wanted, setWanted] = useState("");
  const preview = usePreviewChangeFor(userId, subscription.subscription_id);
  const change = useChangeFor(userId, subscription.subscription_id);
  const others = plans.filter(
    (plan) => plan.plan_id !== subscription.plan_id && plan.interval !== "once" && plan.price_cents > 0 && plan.providers.includes(subscription.provider) && (!current || plan.group === current.group),
  );
  if (change.data) return <Done title={t("sub.change")} effect={change.data} onClose={onClose} />;
  return (
    <Dialog onClose={onClose} title={t("sub.change")} description={<span className="bsb-mono">{subscription.subscription_id}</span>}>
      <NotRead of={catalogue} />
      <Field id="change-plan" label={t("plan")}>
        {(field) => (
          <select
            {...field}
            className="bsb-input"
            value={wanted}
            onChange={({ target }) => {
              setWanted(target.value);
              change.reset();
              if (target.value) preview.mutate(target.value);
              else preview.reset();
            }}
          >
            <option value="">{t("choose")}</option>
            {others.map((plan) => (
              <option key={plan.plan_id} value={plan.plan_id}>
                {plan.name} · {format.money(plan.price_cents, plan.currency, locale)} · {plan.plan_id}
              </option>
            ))}
          </select>
        )}
      </Field>
      {preview.isError && <ErrorNotice error={preview.error} />}
      {preview.data && <Cost preview={preview.data} />}
      {change.isError && <ErrorNotice error={change.error} />}
      <div className="bsb-dialog-actions">
        <Button onClick={onClose}>{t("back")}</Button>
        <Button variant="primary" busy={preview.isPending || change.isPending} disabled={!preview.data} onClick={() => preview.data && change.mutate(preview.data.preview_id)}>
          {preview.data && preview.data.amount_due_cents > 0
            ? t("sub.change.charge", { amount: format.money(preview.data.amount_due_cents, preview.data.currency, locale) })
            : t("sub.change.do")}
        </Button>
      </div>
    </Dialog>
  );
}

function Cost({ preview }: { preview: Schemas["ChangePreviewView"] }) {
  const t = useAdminText();
  const { locale } = useBilling();
  const money = (cents: number) => format.money(cents, preview.currency, locale);
  return (
    <>
      <Notice live title={t("sub.change.at", { date: format.dateTime(preview.effective_at, locale) })}>
        <ul className="bsb-small">
          <li>{preview.amount_due_cents > 0 ? t("sub.change.due", { amount: money(preview.amount_due_cents) }) : t("sub.change.nothing_due")}</li>
          {preview.credit_cents > 0 && <li>{t("sub.change.credit", { amount: money(preview.credit_cents) })}</li>}
          <li>{t("sub.change.next", { amount: money(preview.next_amount_cents), date: format.date(preview.next_billing_at, locale) })}</li>
        </ul>
      </Notice>
      <FeatureChanges title={t("sub.change.features")} changes={preview.features} />
    </>
  );
}
