import { Button, Icon, usePlans } from "@bitsleuth/billing-react";
import { isCount, type FeatureDraft, type FeatureKind } from "./draft.js";
import { useAdminText } from "./text.js";

const KINDS: readonly FeatureKind[] = ["switch", "number", "month", "billing_period", "credits"];

interface FeatureFieldsProps {
  value: FeatureDraft[];
  onChange: (features: FeatureDraft[]) => void;
  faults: Readonly<Record<string, string>>;
}

/** What the plan grants, line by line; the keys that exist are suggested. */
export function FeatureFields({ value, onChange, faults }: FeatureFieldsProps) {
  const t = useAdminText();
  const known = usePlans().data?.features ?? [];
  const change = (index: number, part: Partial<FeatureDraft>) =>
    onChange(value.map((feature, i) => (i === index ? { ...feature, ...part } : feature)));
  return (
    <fieldset className="bsb-card bsb-stack bsb:gap-3">
      <legend className="bsb-hidden">{t("features")}</legend>
      <h2 className="bsb-h3" aria-hidden="true">
        {t("features")}
      </h2>
      <datalist id="known-features">
        {known.map(({ feature, name }) => (
          <option key={feature} value={feature} label={name} />
        ))}
      </datalist>
      {value.map((feature, index) => (
        <div key={index} className="admin-feature">
          <input
            className="bsb-input bsb-mono"
            aria-label={t("feature.key", { n: index + 1 })}
            list="known-features"
            required
            pattern="[a-z0-9][a-z0-9_.:\-]*"
            aria-invalid={`features/${feature.key}` in faults}
            value={feature.key}
            onChange={(event) => change(index, { key: event.target.value })}
          />
          <select
            className="bsb-input"
            aria-label={t("feature.kind", { n: index + 1 })}
            value={feature.kind}
            onChange={(event) => change(index, { kind: event.target.value as FeatureKind })}
          >
            {KINDS.map((kind) => (
              <option key={kind} value={kind}>
                {t(`kind.${kind}`)}
              </option>
            ))}
          </select>
          {feature.kind === "switch" ? (
            <span />
          ) : (
            <input
              className="bsb-input bsb-number"
              aria-label={t("feature.amount", { n: index + 1 })}
              inputMode="numeric"
              required
              aria-invalid={(faults.features !== undefined && !isCount(feature)) || undefined}
              value={feature.amount}
              onChange={(event) => change(index, { amount: event.target.value })}
            />
          )}
          <Button
            variant="ghost"
            size="icon"
            aria-label={t("feature.remove", { n: index + 1 })}
            onClick={() => onChange(value.filter((_, i) => i !== index))}
          >
            <Icon name="close" />
          </Button>
        </div>
      ))}
      {faults.features && (
        <p className="bsb-error" role="alert">
          {faults.features}
        </p>
      )}
      <div>
        <Button size="small" onClick={() => onChange([...value, { key: "", kind: "switch", amount: "" }])}>
          {t("feature.add")}
        </Button>
      </div>
    </fieldset>
  );
}
