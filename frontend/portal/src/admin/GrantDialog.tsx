import type { Schemas } from "@bitsleuth/billing-api-client";
import { Button, Dialog, ErrorNotice, FeatureChanges, NotRead, useFeatureTexts, usePlans } from "@bitsleuth/billing-react";
import { useState } from "react";
import { offersFrom } from "./offer.js";
import { Field } from "./parts.js";
import { useAdminPlans, useGrant } from "./queries.js";
import { useAdminText } from "./text.js";

// How long a grant mostly is, in days.
const PRESETS = [7, 30, 90, 365] as const;
const PLAN = "plan:";

/** The day so many days from now, where the admin is. */
function inDays(days: number): string {
  const day = new Date();
  day.setDate(day.getDate() + days);
  return [day.getFullYear(), String(day.getMonth() + 1).padStart(2, "0"), String(day.getDate()).padStart(2, "0")].join("-");
}

/** Gives a feature, or all that a plan gives, by hand: with a reason and perhaps an end. */
export function GrantDialog({ userId, onClose }: { userId: string; onClose: () => void }) {
  const t = useAdminText();
  const grant = useGrant(userId);
  const catalogue = usePlans();
  const catalogueFeatures = catalogue.data?.features ?? [];
  const texts = useFeatureTexts(catalogueFeatures);
  const adminPlans = useAdminPlans();
  const plans = offersFrom(adminPlans.data?.plans ?? []).flatMap((offer) => offer.plans.slice(0, 1));
  // Offered together: what comes later would push down what somebody is about to choose.
  const listed = !catalogue.isPending && !adminPlans.isPending;
  const [chosen, setChosen] = useState("");
  const [amount, setAmount] = useState("");
  const [reason, setReason] = useState("");
  const [until, setUntil] = useState("");
  const [key] = useState(() => crypto.randomUUID());
  const plan = plans.find(({ plan_id }) => chosen === PLAN + plan_id);
  const kind = catalogueFeatures.find((info) => info.feature === chosen)?.kind ?? "switch";
  const value = kind === "switch" ? true : kind === "number" ? Number(amount) : { limit: Number(amount), per: "month" as const };
  const submit = () =>
    grant.mutate(
      {
        features: plan ? (plan.features as Schemas["GrantFeatures"]["features"]) : { [chosen]: value },
        reason,
        // To the end of that day where the admin is: the page then shows the day that was chosen.
        expires_at: until ? Math.floor(Date.parse(`${until}T23:59:59`) / 1000) : null,
        idempotency_key: key,
      },
      { onSuccess: onClose },
    );
  return (
    <Dialog onClose={onClose} title={t("grant")} description={t("grant.about")}>
      <form
        className="bsb-stack"
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <NotRead of={catalogue} />
        <NotRead of={adminPlans} />
        <Field id="grant-feature" label={t("grant.what")}>
          {(field) => (
            <select {...field} className="bsb-input" required value={chosen} onChange={(event) => setChosen(event.target.value)}>
              <option value="">{t("choose")}</option>
              {listed && (
                <>
                  <optgroup label={t("grant.plans")}>
                    {plans
                      .filter(({ features }) => Object.keys(features).length > 0)
                      .map(({ plan_id, name }) => (
                        <option key={plan_id} value={PLAN + plan_id}>
                          {t("grant.plan", { plan: name })}
                        </option>
                      ))}
                  </optgroup>
                  <optgroup label={t("features")}>
                    {catalogueFeatures.map((info) => (
                      <option key={info.feature} value={info.feature}>
                        {texts.name(info.feature)}
                      </option>
                    ))}
                  </optgroup>
                </>
              )}
            </select>
          )}
        </Field>
        {plan && <FeatureChanges title={t("grant.gives")} changes={Object.entries(plan.features).map(([feature, after]) => ({ feature, before: null, after }))} />}
        {!plan && kind !== "switch" && (
          <Field id="grant-amount" label={t(kind === "number" ? "kind.number" : "kind.month")}>
            {(field) => <input {...field} className="bsb-input" type="number" required min={1} max={1_000_000_000} value={amount} onChange={(event) => setAmount(event.target.value)} />}
          </Field>
        )}
        <Field id="grant-reason" label={t("reason")}>
          {(field) => (
            <>
              <input {...field} className="bsb-input" required maxLength={500} list="grant-reasons" value={reason} onChange={(event) => setReason(event.target.value)} />
              <datalist id="grant-reasons">
                {(["apology", "trial", "partner", "bridge"] as const).map((name) => (
                  <option key={name} value={t(`grant.reason.${name}`)} />
                ))}
              </datalist>
            </>
          )}
        </Field>
        <Field id="grant-until" label={t("grant.until")}>
          {(field) => (
            <>
              <input {...field} className="bsb-input" type="date" min={inDays(0)} value={until} onChange={(event) => setUntil(event.target.value)} />
              <div className="bsb-row bsb:gap-1 bsb:mt-1">
                {PRESETS.map((days) => (
                  <Button key={days} size="small" variant="ghost" aria-pressed={until === inDays(days)} onClick={() => setUntil(inDays(days))}>
                    {t("grant.days", { count: days })}
                  </Button>
                ))}
                <Button size="small" variant="ghost" aria-pressed={until === ""} onClick={() => setUntil("")}>
                  {t("grant.for_good")}
                </Button>
              </div>
            </>
          )}
        </Field>
        {grant.isError && <ErrorNotice error={grant.error} />}
        <div className="bsb-dialog-actions">
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button type="submit" variant="primary" busy={grant.isPending}>
            {t("grant.do")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
