import { Button, Dialog, ErrorNotice, format, Notice, NotRead, useBilling, useFeatureTexts, usePlans } from "@bitsleuth/billing-react";
import { useState } from "react";
import { NextStep, type Subscription } from "./SubscriptionCard.js";
import { Field } from "./parts.js";
import { useGiveDays } from "./queries.js";
import { useAdminText } from "./text.js";

interface DaysDialogProps {
  userId: string;
  planId: string | null;
  /** What they pay for: its charges stay where they are. */
  subscriptions: readonly Subscription[];
  onClose: () => void;
}

/** Days of a plan beyond what the customer has: until when that reaches, then the gift. One key, so that it is given once. */
export function DaysDialog({ userId, planId, subscriptions, onClose }: DaysDialogProps) {
  const t = useAdminText();
  const { locale } = useBilling();
  const catalogue = usePlans();
  const plans = catalogue.data?.plans ?? [];
  const texts = useFeatureTexts(catalogue.data?.features);
  const named = (id: string) => [plans.find((one) => one.plan_id === id)?.name, id].filter(Boolean).join(" · ");
  const preview = useGiveDays(userId);
  const give = useGiveDays(userId);
  const [key] = useState(() => crypto.randomUUID());
  const [days, setDays] = useState("7");
  const [plan, setPlan] = useState(planId ?? "");
  const [reason, setReason] = useState("");
  const until = (time: string) => format.dateTime(time, locale);
  const request = (dry_run: boolean) => ({ days: Number(days), plan_id: plan || null, reason, dry_run, idempotency_key: key });
  if (give.data) {
    return (
      <Dialog onClose={onClose} title={t("days")}>
        <Notice tone="good" live title={t(give.data.outcome === "unchanged" ? "act.unchanged" : "act.done")}>
          <p>{t("days.until", { until: until(give.data.until) })}</p>
          <Charges subscriptions={subscriptions} />
        </Notice>
        <div className="bsb-dialog-actions">
          <Button variant="primary" onClick={onClose}>
            {t("close")}
          </Button>
        </div>
      </Dialog>
    );
  }
  const edit = (set: (value: string) => void) => (value: string) => {
    preview.reset();
    set(value);
  };
  return (
    <Dialog onClose={onClose} title={t("days")} description={t("days.about")}>
      <form
        className="bsb-stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (preview.data) give.mutate(request(false));
          else preview.mutate(request(true));
        }}
      >
        <NotRead of={catalogue} />
        <Field id="days-count" label={t("days.count")}>
          {(field) => <input {...field} className="bsb-input bsb-number" type="number" required min={1} max={366} value={days} onChange={({ target }) => edit(setDays)(target.value)} />}
        </Field>
        <Field id="days-plan" label={t("plan")}>
          {(field) => (
            <select {...field} className="bsb-input" required value={plan} onChange={({ target }) => edit(setPlan)(target.value)}>
              <option value="">{t("choose")}</option>
              {/* The customer's own stays where it is when the others come. */}
              {planId && <option value={planId}>{named(planId)}</option>}
              {plans
                .filter((one) => one.price_cents > 0 && one.plan_id !== planId)
                .map((one) => (
                  <option key={one.plan_id} value={one.plan_id}>
                    {named(one.plan_id)}
                  </option>
                ))}
            </select>
          )}
        </Field>
        <Field id="days-reason" label={t("reason")}>
          {(field) => <input {...field} className="bsb-input" required maxLength={500} value={reason} onChange={({ target }) => edit(setReason)(target.value)} />}
        </Field>
        {preview.data && (
          <Notice live title={t("days.until", { until: until(preview.data.until) })}>
            <p className="bsb-small">{t("days.opens", { features: preview.data.features.map((name) => texts.name(name)).join(", ") })}</p>
            <Charges subscriptions={subscriptions} />
          </Notice>
        )}
        {preview.isError && <ErrorNotice error={preview.error} />}
        {give.isError && <ErrorNotice error={give.error} />}
        <div className="bsb-dialog-actions">
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button type="submit" variant="primary" busy={preview.isPending || give.isPending}>
            {preview.data ? t("days.do", { count: Number(days) }) : t("refund.preview")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** Days move no charge: when the next one comes, and of how much, said where somebody might think otherwise. */
function Charges({ subscriptions }: Pick<DaysDialogProps, "subscriptions">) {
  const t = useAdminText();
  const charged = subscriptions.filter(({ next }) => next.at && next.amount_cents);
  return (
    <>
      <p className="bsb-small">{t("days.no_charge")}</p>
      {charged.map((subscription) => (
        <p key={subscription.subscription_id} className="bsb-small">
          {subscription.plan_name}: <NextStep subscription={subscription} />
        </p>
      ))}
    </>
  );
}
