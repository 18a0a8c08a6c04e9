import { Button, Icon, NotRead, useFeatureTexts, usePlans } from "@bitsleuth/billing-react";
import type { FeatureDraft, FeatureKind } from "./draft.js";
import { useAdminText } from "./text.js";

interface FeatureFieldsProps {
  value: FeatureDraft[];
  onChange: (features: FeatureDraft[]) => void;
  faults: Readonly<Record<string, string>>;
  /** Sold once: then an allowance may be credits. */
  once: boolean;
}

/** What the plan grants, line by line, picked from what there is: its kind is the feature's own. */
export function FeatureFields({ value, onChange, faults, once }: FeatureFieldsProps) {
  const t = useAdminText();
  const catalogue = usePlans();
  const catalogueFeatures = catalogue.data?.features ?? [];
  const texts = useFeatureTexts(catalogueFeatures);
  const change = (index: number, part: Partial<FeatureDraft>) =>
    onChange(value.map((feature, i) => (i === index ? { ...feature, ...part } : feature)));
  const kindsOf = (key: string): readonly FeatureKind[] => {
    const kind = catalogueFeatures.find(({ feature }) => feature === key)?.kind;
    if (kind !== "allowance") return [kind === "number" ? "number" : "switch"];
    return once ? ["credits", "month"] : ["month", "billing_period"];
  };
  const taken = new Set(value.map(({ key }) => key));
  return (
    <fieldset className="bsb-card bsb-stack bsb:gap-3">
      <legend className="bsb-hidden">{t("features")}</legend>
      <h2 className="bsb-h3" aria-hidden="true">
        {t("features")}
      </h2>
      <NotRead of={catalogue} />
      {value.map((feature, index) => {
        const fault = faults[`features/${feature.key}`];
        const kinds = kindsOf(feature.key);
        return (
          <div key={index} className="bsb-stack bsb:gap-1">
            <div className="admin-feature">
              <select
                className="bsb-input"
                aria-busy={catalogue.isPending || undefined}
                disabled={catalogue.isPending}
                aria-label={t("feature.key", { n: index + 1 })}
                required
                aria-invalid={fault !== undefined || undefined}
                aria-describedby={fault ? `feature-${index}-fault` : undefined}
                value={feature.key}
                onChange={(event) => {
                  const [kind = "switch"] = kindsOf(event.target.value);
                  change(index, { key: event.target.value, kind, amount: kind === "switch" ? "" : feature.amount });
                }}
              >
                <option value="">{t("choose")}</option>
                {/* One that is no longer known stays to be seen and removed. */}
                {feature.key && !catalogueFeatures.some((info) => info.feature === feature.key) && <option>{feature.key}</option>}
                {catalogueFeatures
                  .filter((info) => info.feature === feature.key || !taken.has(info.feature))
                  .map((info) => (
                    <option key={info.feature} value={info.feature}>
                      {texts.name(info.feature)} ({info.feature})
                    </option>
                  ))}
              </select>
              {kinds.length > 1 ? (
                <select
                  className="bsb-input"
                  aria-label={t("feature.kind", { n: index + 1 })}
                  value={feature.kind}
                  onChange={(event) => change(index, { kind: event.target.value as FeatureKind })}
                >
                  {(kinds.includes(feature.kind) ? kinds : [...kinds, feature.kind]).map((kind) => (
                    <option key={kind} value={kind}>
                      {t(`kind.${kind}`)}
                    </option>
                  ))}
                </select>
              ) : (
                <span className="bsb-2 bsb-small">{feature.key && t(`kind.${kinds[0] ?? "switch"}`)}</span>
              )}
              {feature.kind === "switch" ? (
                <span />
              ) : (
                <input
                  className="bsb-input bsb-number"
                  aria-label={t("feature.amount", { n: index + 1 })}
                  inputMode="numeric"
                  required
                  aria-invalid={fault !== undefined || undefined}
                  value={feature.amount}
                  onChange={(event) => change(index, { amount: event.target.value })}
                />
              )}
              <Button variant="ghost" size="icon" aria-label={t("feature.remove", { n: index + 1 })} onClick={() => onChange(value.filter((_, i) => i !== index))}>
                <Icon name="close" />
              </Button>
            </div>
            {fault && (
              <p className="bsb-error" id={`feature-${index}-fault`} role="alert">
                {fault}
              </p>
            )}
          </div>
        );
      })}
      {faults.features && (
        <p className="bsb-error" role="alert">
          {faults.features}
        </p>
      )}
      {catalogueFeatures.some((info) => !taken.has(info.feature)) && (
        <div>
          <Button size="small" onClick={() => onChange([...value, { key: "", kind: "switch", amount: "" }])}>
            {t("feature.add")}
          </Button>
        </div>
      )}
    </fieldset>
  );
}
