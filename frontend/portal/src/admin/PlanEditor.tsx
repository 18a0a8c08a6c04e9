import { ApiError, type Schemas } from "@bitsleuth/billing-api-client";
import { Button, ErrorNotice, Notice, OfferCard, usePlans } from "@bitsleuth/billing-react";
import { useState } from "react";
import { useTitle } from "../title.js";
import { draftOf, offerOf, type Draft } from "./draft.js";
import { FeatureFields } from "./FeatureFields.js";
import { drafts, driftOf, type AdminOffer } from "./offer.js";
import { Field } from "./parts.js";
import { OfferEffect } from "./PlanEffect.js";
import { PriceFields } from "./PriceFields.js";
import { useSaveOffer } from "./queries.js";
import { useAdminOptional, useAdminText } from "./text.js";

interface PlanEditorProps {
  /** What is edited; null: a new offer. */
  offer: AdminOffer | null;
  onDone: (saved: boolean) => void;
}

/** An offer as a form: what its plans share once, a price for each; beside it the card that buyers will see. */
export function PlanEditor({ offer, onDone }: PlanEditorProps) {
  const t = useAdminText();
  const key = offer?.key ?? "new";
  const plans = offer?.plans ?? [];
  const [kept] = useState(() => drafts.read(key));
  const [draft, setDraft] = useState<Draft>(() => kept ?? draftOf(plans));
  const save = useSaveOffer();
  const faults = useFaults(save.error);
  const { body, previews, problems } = offerOf(draft);
  const name = plans[0]?.name ?? "";
  const title = offer ? t("plan.edit", { plan: name }) : t("plans.new");
  useTitle(title);
  const original = JSON.stringify(draftOf(plans));
  const changed = JSON.stringify(draft) !== original;
  const set = (change: Partial<Draft>) => {
    const next = { ...draft, ...change };
    setDraft(next);
    if (JSON.stringify(next) === original) drafts.drop(key);
    else drafts.keep(key, next);
  };
  const discard = () => {
    drafts.drop(key);
    setDraft(draftOf(plans));
    save.reset();
  };
  const leave = (saved: boolean) => {
    drafts.drop(key);
    onDone(saved);
  };
  const allFaults = { ...faults, ...Object.fromEntries(Object.entries(problems).map(([path, problem]) => [path, t(problem)])) };
  return (
    <form
      className="bsb-stack bsb:gap-6"
      onSubmit={(event) => {
        event.preventDefault();
        if (body) save.mutate(body, { onSuccess: () => leave(true) });
      }}
    >
      <div className="bsb-stack bsb:gap-1">
        <h1 className="bsb-h1">{title}</h1>
        {offer && <p className="bsb-2">{t("plan.edit.about")}</p>}
      </div>
      {kept && changed && (
        <Notice
          title={t("plan.draft")}
          action={
            <Button size="small" onClick={discard}>
              {t("plan.discard")}
            </Button>
          }
        >
          {t("plan.draft.about")}
        </Notice>
      )}
      <Drift plans={plans} />
      <div className="admin-split">
        <div className="bsb-stack bsb:gap-6">
          <SharedFields draft={draft} set={set} faults={allFaults} />
          <PriceFields draft={draft} set={set} faults={allFaults} />
          <FeatureFields value={draft.features} onChange={(features) => set({ features })} faults={allFaults} once={draft.prices.every(({ interval }) => interval === "once")} />
          <MoreFields draft={draft} set={set} faults={allFaults} />
          {changed && body && <OfferEffect offer={body} before={offerOf(draftOf(plans)).body} />}
          {save.isError && Object.keys(faults).length === 0 && <ErrorNotice error={save.error} />}
          {Object.keys(faults).length > 0 && <Notice tone="bad" live>{t("plan.faults")}</Notice>}
          <div className="bsb-row">
            <Button type="submit" variant="primary" busy={save.isPending} disabled={body === null || !changed}>
              {t(offer ? "plan.publish" : "plan.create")}
            </Button>
            <Button onClick={() => leave(false)}>{t("cancel")}</Button>
          </div>
        </div>
        <Preview plans={previews} />
      </div>
    </form>
  );
}

/** Month and year of one tier that were edited apart before: publishing makes them one again. */
function Drift({ plans }: { plans: AdminOffer["plans"] }) {
  const t = useAdminText();
  const optional = useAdminOptional();
  const drifted = driftOf(plans);
  if (drifted.length === 0) return null;
  return (
    <Notice tone="warn" title={t("plan.drift")}>
      {t("plan.drift.about", { what: drifted.map((name) => optional("plan", name) ?? optional("", name) ?? name).join(", "), plan: plans[0]?.plan_id ?? "" })}
    </Notice>
  );
}

/** What the service found wrong, by the path of the field: in the page's language where it has a code. */
function useFaults(error: unknown): Record<string, string> {
  const optional = useAdminOptional();
  const errors = error instanceof ApiError ? error.problem.errors : undefined;
  if (!Array.isArray(errors)) return {};
  const faults = errors as Schemas["FaultyField"][];
  return Object.fromEntries(faults.map(({ path, message, code }) => [path, (code && optional("fault", code)) || message]));
}

function Preview({ plans }: { plans: Schemas["PublicPlan"][] }) {
  const t = useAdminText();
  const features = usePlans().data?.features ?? [];
  const [chosen, setChosen] = useState(0);
  const plan = plans[Math.min(chosen, plans.length - 1)];
  if (!plan) return null;
  const named = { ...plan, name: plan.name || t("plan") };
  const offer = { key: plan.tier || plan.plan_id, name: named.name };
  return (
    <aside className="bsb-stack bsb:gap-2" aria-label={t("preview")}>
      <h2 className="bsb-h3 bsb-2">{t("preview")}</h2>
      {plans.length > 1 && (
        <fieldset className="bsb-segments bsb:self-start">
          <legend className="bsb-hidden">{t("interval")}</legend>
          {plans.map(({ interval }, i) => (
            <label key={i}>
              <input type="radio" name="previewed" checked={plan === plans[i]} onChange={() => setChosen(i)} />
              {t(`interval.${interval}`)}
            </label>
          ))}
        </fieldset>
      )}
      <OfferCard offer={offer} plan={named} quote={null} featured={plan.recommended} below={undefined} features={features} accountUrl="" />
    </aside>
  );
}

export interface FieldsProps {
  draft: Draft;
  set: (change: Partial<Draft>) => void;
  /** What is wrong, by the path of the field. */
  faults: Readonly<Record<string, string>>;
}

function SharedFields({ draft, set, faults }: FieldsProps) {
  const t = useAdminText();
  return (
    <div className="bsb-card bsb-stack">
      <Field id="name" label={t("plan.name")} fault={faults.name}>
        {(field) => <input {...field} className="bsb-input" required maxLength={80} value={draft.name} onChange={(e) => set({ name: e.target.value })} />}
      </Field>
      <Field id="description" label={t("plan.description")} fault={faults.description}>
        {(field) => <input {...field} className="bsb-input" maxLength={500} value={draft.description} onChange={(e) => set({ description: e.target.value })} />}
      </Field>
    </div>
  );
}

const MORE = ["tier", "group", "rank", "position", "recommended", "trial_days", "grace_days", "optimistic", "after_purchase"];

function MoreFields({ draft, set, faults }: FieldsProps) {
  const t = useAdminText();
  const number = (name: "rank" | "position" | "trial_days" | "grace_days", max: number) => (
    <Field id={name} label={t(`plan.${name}`)} fault={faults[name]}>
      {(field) => <input {...field} className="bsb-input" type="number" min={0} max={max} value={draft[name]} onChange={(e) => set({ [name]: e.target.value })} />}
    </Field>
  );
  const text = (name: "tier" | "group", pattern: string) => (
    <Field id={name} label={t(`plan.${name}`)} hint={t(`plan.${name}.about`)} fault={faults[name]}>
      {(field) => <input {...field} className="bsb-input bsb-mono" pattern={pattern} maxLength={40} value={draft[name]} onChange={(e) => set({ [name]: e.target.value })} />}
    </Field>
  );
  const check = (name: "recommended" | "optimistic" | "after_purchase") => (
    <label className="bsb-check">
      <input type="checkbox" checked={draft[name]} onChange={(e) => set({ [name]: e.target.checked })} />
      <span>{t(`plan.${name}`)}</span>
    </label>
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
          {number("position", 1000)}
          {number("trial_days", 730)}
          {number("grace_days", 30)}
        </div>
        {check("recommended")}
        {check("optimistic")}
        {check("after_purchase")}
      </div>
    </details>
  );
}
