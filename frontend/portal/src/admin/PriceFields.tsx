import { Button, Icon } from "@bitsleuth/billing-react";
import { newPrice, type PriceDraft } from "./draft.js";
import { Field } from "./parts.js";
import type { FieldsProps } from "./PlanEditor.js";
import { useAdminText } from "./text.js";

const OTHER = { month: "year", year: "month" } as const;

/** A price for each interval at which the offer is sold; all else they share. */
export function PriceFields({ draft, set, faults }: FieldsProps) {
  const t = useAdminText();
  const { prices } = draft;
  const change = (index: number, part: Partial<PriceDraft>) =>
    set({ prices: prices.map((price, i) => (i === index ? { ...price, ...part } : price)) });
  const first = prices[0];
  const missing = prices.length === 1 && first && first.interval !== "once" ? OTHER[first.interval] : null;
  const add = () => {
    if (!first || !missing) return;
    const plan_id = first.plan_id.replace(/-(month|year)$/, "");
    set({ prices: [...prices, newPrice(plan_id && `${plan_id}-${missing}`, missing, first.currency)], tier: draft.tier || plan_id });
  };
  return (
    <fieldset className="bsb-card bsb-stack">
      <legend className="bsb-hidden">{t("plan.prices")}</legend>
      <h2 className="bsb-h3" aria-hidden="true">
        {t("plan.prices")}
      </h2>
      {prices.map((price, index) => (
        <PriceField
          key={index}
          price={price}
          of={prices.length > 1 ? ` ${t(`interval.${price.interval}`)}` : ""}
          index={index}
          faults={faults}
          onChange={(part) => change(index, part)}
          onRemove={price.version === 0 && index > 0 ? () => set({ prices: prices.filter((_, i) => i !== index) }) : undefined}
        />
      ))}
      {missing && (
        <div>
          <Button size="small" onClick={add}>
            {t(missing === "year" ? "plan.add_year" : "plan.add_month")}
          </Button>
        </div>
      )}
    </fieldset>
  );
}

interface PriceFieldProps {
  price: PriceDraft;
  /** Tells the fields of several prices apart for those who hear them. */
  of: string;
  index: number;
  faults: FieldsProps["faults"];
  onChange: (part: Partial<PriceDraft>) => void;
  onRemove: (() => void) | undefined;
}

function PriceField({ price, of, index, faults, onChange, onRemove }: PriceFieldProps) {
  const t = useAdminText();
  const path = `prices/${index}`;
  const fault = (name: string) => faults[`${path}/${name}`];
  const atProviders = Object.entries(faults).find(([where]) => where.startsWith(`${path}/provider_plan_ids`))?.[1];
  const label = (text: string) => (
    <>
      {text}
      <span className="bsb-hidden">{of}</span>
    </>
  );
  return (
    <div className="bsb-stack bsb:gap-3 admin-price">
      <div className="admin-fields admin-fields-short">
        <Field id={`plan_id-${index}`} label={label(t("plan.id"))} fault={fault("plan_id")}>
          {(field) => (
            <input {...field} className="bsb-input bsb-mono" required pattern="[a-z0-9][a-z0-9_\-]*" maxLength={64} readOnly={price.version > 0} value={price.plan_id} onChange={(e) => onChange({ plan_id: e.target.value })} />
          )}
        </Field>
        <Field id={`price-${index}`} label={label(t("price"))} fault={fault("price_cents")}>
          {(field) => <input {...field} className="bsb-input" required inputMode="decimal" value={price.price} onChange={(e) => onChange({ price: e.target.value })} />}
        </Field>
        <Field id={`currency-${index}`} label={label(t("currency"))} fault={fault("currency")}>
          {(field) => (
            <input {...field} className="bsb-input" required pattern="[A-Z]{3}" maxLength={3} value={price.currency} onChange={(e) => onChange({ currency: e.target.value.toUpperCase() })} />
          )}
        </Field>
        <Field id={`interval-${index}`} label={label(t("interval"))} fault={fault("interval")}>
          {(field) => (
            <select {...field} className="bsb-input" value={price.interval} onChange={(e) => onChange({ interval: e.target.value as PriceDraft["interval"] })}>
              <option value="month">{t("interval.month")}</option>
              <option value="year">{t("interval.year")}</option>
              <option value="once">{t("interval.once")}</option>
            </select>
          )}
        </Field>
        {price.interval === "once" && (
          <Field id={`duration_days-${index}`} label={label(t("plan.duration_days"))} fault={fault("duration_days")}>
            {(field) => <input {...field} className="bsb-input" type="number" min={1} max={36500} value={price.duration_days} onChange={(e) => onChange({ duration_days: e.target.value })} />}
          </Field>
        )}
      </div>
      <details open={atProviders !== undefined || undefined}>
        <summary className="bsb-summary bsb-small bsb-2">{label(t("plan.price.more"))}</summary>
        <div className="bsb-stack bsb:mt-3">
          <label className="bsb-check">
            <input type="checkbox" checked={price.hidden} onChange={(e) => onChange({ hidden: e.target.checked })} />
            <span>{label(t("plan.hide"))}</span>
          </label>
          <Field id={`provider_plan_ids-${index}`} label={label(t("plan.provider_ids"))} hint={t("plan.provider_ids.hint")} fault={atProviders}>
            {(field) => (
              <textarea {...field} className="bsb-input bsb-mono" rows={2} placeholder="stripe=price_…" value={price.provider_plan_ids} onChange={(e) => onChange({ provider_plan_ids: e.target.value })} />
            )}
          </Field>
        </div>
      </details>
      {onRemove && (
        <div>
          <Button size="small" variant="ghost" onClick={onRemove}>
            <Icon name="close" size={16} />
            {t("plan.remove_price")}
          </Button>
        </div>
      )}
    </div>
  );
}
