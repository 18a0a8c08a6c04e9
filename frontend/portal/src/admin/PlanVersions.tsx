import type { Schemas } from "@bitsleuth/billing-api-client";
import { classes, format, useBilling, useFeatureTexts, usePlans } from "@bitsleuth/billing-react";
import { useState } from "react";
import { useTitle } from "../title.js";
import { Touched } from "./PlanEffect.js";
import type { AdminPlan } from "./queries.js";
import { useAdminOptional, useAdminText } from "./text.js";

interface PlanVersionsProps {
  /** All versions of one plan, the newest first. */
  versions: readonly AdminPlan[];
  standing: readonly Schemas["PlanStanding"][];
}

/** The versions of a plan: who has each, and any two side by side. */
export function PlanVersions({ versions, standing }: PlanVersionsProps) {
  const t = useAdminText();
  const { locale } = useBilling();
  const newest = versions[0];
  const title = t("versions.of", { plan: newest?.name ?? "" });
  useTitle(title);
  if (!newest) return null;
  const of = (version: number) => standing.filter((one) => one.version === version && one.plan_id === newest.plan_id);
  return (
    <div className="bsb-stack bsb:gap-6">
      <div className="bsb-stack bsb:gap-1">
        <a className="bsb-link bsb-small" href="/console/plans">
          {t("versions.back")}
        </a>
        <h1 className="bsb-h1">{title}</h1>
        <p className="bsb-2 bsb-mono bsb-small">{newest.plan_id}</p>
      </div>
      {/* Scrolls sideways on small screens, so the keyboard must reach it. */}
      {/* eslint-disable-next-line jsx-a11y-x/no-noninteractive-tabindex */}
      <div className="bsb-card bsb-scroll" role="group" tabIndex={0} aria-label={t("versions.standing")}>
        <table className="bsb-table bsb-small figure-table stacked">
          <thead>
            <tr>
              <th scope="col">{t("versions.version")}</th>
              {(["price", "subscribers", "trialing", "mrr"] as const).map((column) => (
                <th key={column} scope="col" className="bsb-end">
                  {t(`versions.column.${column}`)}
                </th>
              ))}
              <th scope="col" className="bsb-end">
                {t("versions.column.who")}
              </th>
            </tr>
          </thead>
          <tbody>
            {versions.map((plan) => {
              const ofVersion = of(plan.version);
              const sum = (name: "subscribers" | "trialing") => format.number(ofVersion.reduce((all, one) => all + one[name], 0), locale);
              return (
                <tr key={plan.version}>
                  <th scope="row">
                    {plan.version} {plan === newest && <span className="bsb-badge">{t(`plan.${plan.status}`)}</span>}
                  </th>
                  <td className="bsb-end bsb-number" data-label={t("versions.column.price")}>{format.money(plan.price_cents, plan.currency, locale)}</td>
                  <td className="bsb-end bsb-number" data-label={t("versions.column.subscribers")}>{sum("subscribers")}</td>
                  <td className="bsb-end bsb-number" data-label={t("versions.column.trialing")}>{sum("trialing")}</td>
                  <td className="bsb-end bsb-number" data-label={t("versions.column.mrr")}>{ofVersion.map((one) => format.money(one.mrr_cents, one.currency, locale)).join(" · ") || "–"}</td>
                  <td data-label={t("versions.column.who")}>
                    <Touched planId={plan.plan_id} version={plan.version} />
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      {versions.length > 1 && <SideBySide versions={versions} />}
    </div>
  );
}

const FIELDS = ["name", "description", "price_cents", "interval", "tier", "group", "rank", "position", "recommended", "trial_days", "grace_days", "duration_days", "optimistic", "after_purchase", "status", "provider_plan_ids"] as const;

/** Two versions, field by field and feature by feature; what differs is marked. */
function SideBySide({ versions }: { versions: readonly AdminPlan[] }) {
  const t = useAdminText();
  const optional = useAdminOptional();
  const { locale } = useBilling();
  const texts = useFeatureTexts(usePlans().data?.features);
  const [chosen, setChosen] = useState([versions[1]?.version ?? 1, versions[0]?.version ?? 1] as const);
  const [all, setAll] = useState(false);
  const [left, right] = chosen.map((version) => versions.find((plan) => plan.version === version));
  if (!left || !right) return null;
  const said = (plan: AdminPlan, name: (typeof FIELDS)[number]): string => {
    const value = plan[name];
    if (name === "price_cents") return format.money(plan.price_cents, plan.currency, locale);
    if (name === "interval") return t(`interval.${plan.interval}`);
    if (name === "status") return t(`plan.${plan.status}`);
    if (typeof value === "boolean") return t(value ? "effect.with" : "effect.without");
    if (typeof value === "object" && value) return Object.entries(value).map(([provider, id]) => `${provider}: ${id}`).join(", ") || "–";
    return value === null || value === "" ? "–" : String(value);
  };
  const amountIn = (plan: AdminPlan, key: string) => (plan.features[key] ? texts.amount(plan.features[key]) || t("effect.with") : t("effect.without"));
  const labelled: Partial<Record<(typeof FIELDS)[number], string>> = { price_cents: t("price"), interval: t("interval"), status: t("status"), provider_plan_ids: t("plan.provider_ids") };
  const features = [...new Set([...Object.keys(right.features), ...Object.keys(left.features)])];
  const rows = [
    ...FIELDS.map((name) => [labelled[name] ?? optional("plan", name) ?? name, said(left, name), said(right, name)] as const),
    ...features.map((key) => [texts.name(key), amountIn(left, key), amountIn(right, key)] as const),
  ];
  const shown = rows.filter(([, before, after]) => all || before !== after);
  const choose = (side: 0 | 1, version: number) => setChosen(side === 0 ? [version, chosen[1]] : [chosen[0], version]);
  return (
    <section className="bsb-card bsb-stack" aria-labelledby="side-by-side">
      <div className="bsb-row bsb-between">
        <h2 className="bsb-h3" id="side-by-side">
          {t("versions.compare")}
        </h2>
        <label className="bsb-check">
          <input type="checkbox" checked={all} onChange={(event) => setAll(event.target.checked)} />
          <span>{t("versions.all")}</span>
        </label>
      </div>
      {/* Scrolls sideways on small screens, so the keyboard must reach it. */}
      {/* eslint-disable-next-line jsx-a11y-x/no-noninteractive-tabindex */}
      <div className="bsb-scroll" role="group" tabIndex={0} aria-label={t("versions.compare")}>
        <table className="bsb-table bsb-small stacked chosen">
          <thead>
            <tr>
              <th scope="col">{t("audit.field")}</th>
              {([0, 1] as const).map((side) => (
                <th key={side} scope="col">
                  <select className="bsb-input bsb:w-auto" aria-label={t(side === 0 ? "versions.left" : "versions.right")} value={chosen[side]} onChange={(event) => choose(side, Number(event.target.value))}>
                    {versions.map(({ version }) => (
                      <option key={version} value={version}>
                        {t("plan.version", { version: String(version) })}
                      </option>
                    ))}
                  </select>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.map(([label, before, after]) => (
              <tr key={label}>
                <th scope="row">{label}</th>
                <td className={classes(before !== after && "admin-was")}>{before}</td>
                <td className={classes(before !== after && "admin-is")}>{after}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {shown.length === 0 && <p className="bsb-2">{t("versions.same")}</p>}
    </section>
  );
}
