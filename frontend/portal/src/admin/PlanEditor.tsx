import { ApiError, type Schemas } from "@bitsleuth/billing-api-client";
import { Button, ErrorNotice, OfferCard, usePlans } from "@bitsleuth/billing-react";
import { useState } from "react";
import { useTitle } from "../title.js";
import { draftOf, planOf, type Draft, type DraftProblem } from "./draft.js";
import { FeatureFields } from "./FeatureFields.js";
import { Field } from "./parts.js";
import { PlanEffect } from "./PlanEffect.js";
import { useSavePlan, type AdminPlan } from "./queries.js";
import { useAdminText } from "./text.js";

/** A plan as a form, beside it the card that buyers will see. */
export function PlanEditor({ plan, onDone }: { plan: AdminPlan | null; onDone: () => void }) {
  const t = useAdminText();
  const [draft, setDraft] = useState<Draft>(() => draftOf(plan));
  const save = useSavePlan();
  const faults = faultsOf(save.error);
  const { body, preview, problem } = planOf(draft);
  const set = (change: Partial<Draft>) => setDraft({ ...draft, ...change });
  const title = plan ? t("plan.edit", { plan: plan.name }) : t("plans.new");
  useTitle(title);
  const known = { ...faults, ...(problem ? { [FIELDS[problem]]: t(problem) } : {}) };
  return (
    <form
      className="bsb-stack bsb:gap-6"
      onSubmit={(event) => {
        event.preventDefault();
        if (body) save.mutate({ draft: body, version: plan?.version ?? null }, { onSuccess: onDone });
      }}
    >
      <div className="bsb-stack bsb:gap-1">
        <h1 className="bsb-h1">{title}</h1>
        {plan && <p className="bsb-2">{t("plan.edit.about", { version: plan.version })}</p>}
      </div>
      <div className="admin-split">
        <div className="bsb-stack bsb:gap-6">
          <BasicFields draft={draft} set={set} isNew={plan === null} faults={known} />
          <FeatureFields value={draft.features} onChange={(features) => set({ features })} faults={known} />
          <MoreFields draft={draft} set={set} faults={known} />
          {plan && body && <PlanEffect planId={plan.plan_id} body={{ ...withoutId(body), version: plan.version }} />}
          {save.isError && <ErrorNotice error={save.error} />}
          <div className="bsb-row">
            <Button type="submit" variant="primary" busy={save.isPending} disabled={body === null}>
              {plan ? t("plan.publish", { version: plan.version + 1 }) : t("plan.create")}
            </Button>
            <Button onClick={onDone}>{t("cancel")}</Button>
          </div>
        </div>
        <Preview plan={preview} />
      </div>
    </form>
  );
}

const withoutId = ({ plan_id, ...rest }: Schemas["CreatePlan"]) => rest;

/** Where a draft's problem is shown: the path that the service would name. */
const FIELDS: Readonly<Record<DraftProblem, string>> = {
  "problem.price": "price_cents",
  "problem.amount": "features",
  "problem.provider_ids": "provider_plan_ids",
};

/** What the service found wrong, by the path of the field. */
function faultsOf(error: unknown): Record<string, string> {
  const errors = error instanceof ApiError ? error.problem.errors : undefined;
  if (!Array.isArray(errors)) return {};
  return Object.fromEntries((errors as Schemas["FaultyField"][]).map(({ path, message }) => [path, message]));
}

function Preview({ plan }: { plan: Schemas["PublicPlan"] }) {
  const t = useAdminText();
  const features = usePlans().data?.features ?? [];
  const offer = { key: plan.tier || plan.plan_id, name: plan.name || t("plan"), };
  return (
    <aside className="bsb-stack bsb:gap-2" aria-label={t("preview")}>
      <h2 className="bsb-h3 bsb-2">{t("preview")}</h2>
      <OfferCard offer={offer} plan={plan} quote={null} featured={plan.recommended} below={undefined} features={features} accountUrl="" />
    </aside>
  );
}

interface FieldsProps {
  draft: Draft;
  set: (change: Partial<Draft>) => void;
  /** What is wrong, by the path of the field. */
  faults: Readonly<Record<string, string>>;
}

function BasicFields({ draft, set, isNew, faults }: FieldsProps & { isNew: boolean }) {
  const t = useAdminText();
  return (
    <div className="bsb-card bsb-stack">
      <div className="admin-fields">
        <Field id="name" label={t("plan.name")} fault={faults.name}>
          {(field) => <input {...field} className="bsb-input" required maxLength={80} value={draft.name} onChange={(e) => set({ name: e.target.value })} />}
        </Field>
        <Field id="plan_id" label={t("plan.id")} fault={faults.plan_id}>
          {(field) => (
            <input {...field}
              className="bsb-input bsb-mono"
              required
              pattern="[a-z0-9][a-z0-9_\-]*"
              maxLength={64}
              readOnly={!isNew}
              value={draft.plan_id}
              onChange={(e) => set({ plan_id: e.target.value })}
            />
          )}
        </Field>
      </div>
      <Field id="description" label={t("plan.description")} fault={faults.description}>
        {(field) => <input {...field} className="bsb-input" maxLength={500} value={draft.description} onChange={(e) => set({ description: e.target.value })} />}
      </Field>
      <div className="admin-fields admin-fields-short">
        <Field id="price" label={t("price")} fault={faults.price_cents}>
          {(field) => <input {...field} className="bsb-input" required inputMode="decimal" value={draft.price} onChange={(e) => set({ price: e.target.value })} />}
        </Field>
        <Field id="currency" label={t("currency")} fault={faults.currency}>
          {(field) => (
            <input {...field}
              className="bsb-input"
              required
              pattern="[A-Z]{3}"
              maxLength={3}
              value={draft.currency}
              onChange={(e) => set({ currency: e.target.value.toUpperCase() })}
            />
          )}
        </Field>
        <Field id="interval" label={t("interval")} fault={faults.interval}>
          {(field) => (
            <select {...field} className="bsb-input" value={draft.interval} onChange={(e) => set({ interval: e.target.value as Draft["interval"] })}>
              <option value="month">{t("interval.month")}</option>
              <option value="year">{t("interval.year")}</option>
              <option value="once">{t("interval.once")}</option>
            </select>
          )}
        </Field>
      </div>
    </div>
  );
}

const MORE = ["tier", "group", "rank", "trial_days", "grace_days", "duration_days", "provider_plan_ids"];

function MoreFields({ draft, set, faults }: FieldsProps) {
  const t = useAdminText();
  const number = (name: "rank" | "trial_days" | "grace_days", max: number) => (
    <Field id={name} label={t(`plan.${name}`)} fault={faults[name]}>
      {(field) => <input {...field} className="bsb-input" type="number" min={0} max={max} value={draft[name]} onChange={(e) => set({ [name]: e.target.value })} />}
    </Field>
  );
  const text = (name: "tier" | "group", pattern: string) => (
    <Field id={name} label={t(`plan.${name}`)} hint={t(`plan.${name}.about`)} fault={faults[name]}>
      {(field) => <input {...field} className="bsb-input bsb-mono" pattern={pattern} maxLength={40} value={draft[name]} onChange={(e) => set({ [name]: e.target.value })} />}
    </Field>
  );
  return (
    <details className="bsb-card" open={MORE.some((name) => name in faults) || undefined}>
      <summary className="bsb-summary bsb-h3">{t("plan.more")}</summary>
      <div className="bsb-stack bsb:mt-4">
        <div className="admin-fields">
          {text("tier", ".*")}
          {text("group", "[a-z0-9][a-z0-9_\\-]*")}
        </div>
        <div className="admin-fields">
          {number("rank", 1000)}
          {number("trial_days", 730)}
          {number("grace_days", 30)}
          {draft.interval === "once" && (
            <Field id="duration_days" label={t("plan.duration_days")}>
              {(field) => <input {...field} className="bsb-input" type="number" min={1} max={36500} value={draft.duration_days} onChange={(e) => set({ duration_days: e.target.value })} />}
            </Field>
          )}
        </div>
        <label className="bsb-check">
          <input type="checkbox" checked={draft.optimistic} onChange={(e) => set({ optimistic: e.target.checked })} />
          <span>{t("plan.optimistic")}</span>
        </label>
        <label className="bsb-check">
          <input type="checkbox" checked={draft.after_purchase} onChange={(e) => set({ after_purchase: e.target.checked })} />
          <span>{t("plan.after_purchase")}</span>
        </label>
        <label className="bsb-check">
          <input type="checkbox" checked={draft.hidden} onChange={(e) => set({ hidden: e.target.checked })} />
          <span>{t("plan.hide")}</span>
        </label>
        <Field id="provider_plan_ids" label={t("plan.provider_ids")} fault={faults.provider_plan_ids}>
          {(field) => (
            <textarea {...field} className="bsb-input bsb-mono" rows={2} placeholder="stripe=price_…" value={draft.provider_plan_ids} onChange={(e) => set({ provider_plan_ids: e.target.value })} />
          )}
        </Field>
      </div>
    </details>
  );
}
