import type { Schemas } from "@bitsleuth/billing-api-client";
import { Button, ErrorNotice, format, Notice, NotRead, SkeletonCard, useBilling, usePlans } from "@bitsleuth/billing-react";
import { useState } from "react";
import { useAmounts, useReason } from "./parts.js";
import { useExplain } from "./queries.js";
import { useAdminText } from "./text.js";

/** "Why does this user have, or not have, this, at that time?" */
export function ExplainForm({ userId, features }: { userId: string; features: readonly string[] }) {
  const t = useAdminText();
  const [feature, setFeature] = useState("");
  const [at, setAt] = useState("");
  const [asked, setAsked] = useState({ feature: "", at: "" });
  const catalogue = usePlans();
  const catalogueFeatures = catalogue.data?.features.map((info) => info.feature) ?? [];
  // All at once: what comes later would move what somebody is about to choose.
  const choices = catalogue.isPending ? [] : [...new Set([...features, ...catalogueFeatures])].sort();
  return (
    <section className="bsb-card bsb-stack" aria-labelledby="explain">
      <h2 className="bsb-h2" id="explain">
        {t("explain")}
      </h2>
      <form
        className="bsb-row bsb:items-end"
        onSubmit={(event) => {
          event.preventDefault();
          setAsked({ feature, at: at ? String(Math.floor(Date.parse(at) / 1000)) : "" });
        }}
      >
        <div className="bsb-field bsb:grow">
          <label className="bsb-label" htmlFor="explain-feature">
            {t("feature")}
          </label>
          <select id="explain-feature" className="bsb-input" required value={feature} onChange={(event) => setFeature(event.target.value)}>
            <option value="">{t("choose")}</option>
            {choices.map((key) => (
              <option key={key}>{key}</option>
            ))}
          </select>
        </div>
        <label className="bsb-field">
          <span className="bsb-label">{t("explain.at")}</span>
          <input className="bsb-input" type="datetime-local" value={at} onChange={(event) => setAt(event.target.value)} />
        </label>
        <Button type="submit">{t("explain.do")}</Button>
      </form>
      <NotRead of={catalogue} />
      {asked.feature !== "" && <Answer userId={userId} {...asked} />}
    </section>
  );
}

function Answer({ userId, feature, at }: { userId: string; feature: string; at: string }) {
  const t = useAdminText();
  const { locale } = useBilling();
  const inWords = useReason();
  const explanation = useExplain(userId, feature, at);
  if (explanation.isError) return <ErrorNotice error={explanation.error} onRetry={() => void explanation.refetch()} />;
  if (!explanation.data) return <SkeletonCard lines={3} />;
  const { data } = explanation;
  const time = format.dateTime(data.at, locale);
  return (
    <Notice tone={data.allowed ? "good" : "warn"} title={t(data.allowed ? "explain.yes" : "explain.no", { feature, time })} live>
      <div className="bsb-stack bsb:gap-2">
        <Why data={data} />
        {data.sources.length > 0 && (
          <>
            <p className="bsb-small">{t("explain.records")}</p>
            <ul className="bsb-small">
              {data.sources.map((source) => (
                <li key={source.id}>
                  {source.plan_id ?? t(`record.${source.kind === "plan" ? "other" : source.kind}`)}: {inWords(source.reason)}
                  {source.expires_at && `, ${t("until", { date: format.dateTime(source.expires_at, locale) })}`}{" "}
                  <span className="bsb-mono bsb-2">{source.id}</span>
                </li>
              ))}
            </ul>
          </>
        )}
      </div>
    </Notice>
  );
}

/** The answer in a sentence or two: what gives it, or gave it last and what came then, and which plans have it. */
function Why({ data }: { data: Schemas["Explanation"] }) {
  const t = useAdminText();
  const { locale } = useBilling();
  const inWords = useReason();
  const amounts = useAmounts();
  if (data.allowed) {
    const amount = amounts(data.value, data.also);
    const giver = data.sources[0];
    const what = giver ? (giver.plan_id ?? t(`record.${giver.kind === "plan" ? "other" : giver.kind}`)) : "";
    return <p>{amount && `${t("explain.amount", { amount })} `}{data.expires_at ? t("explain.gives_until", { what, until: format.dateTime(data.expires_at, locale) }) : t("explain.gives", { what })}</p>;
  }
  const plans = data.offers.map((plan) => `${plan.name} (${plan.plan_id})`).join(", ");
  return (
    <p>
      {data.scenario === "payment_failed" && `${t("explain.payment_failed")} `}
      <Last last={data.last} inWords={inWords} />{" "}
      {plans ? t("explain.offers", { plans }) : t("explain.no_offers")}
    </p>
  );
}

function Last({ last, inWords }: { last: Schemas["LastGiven"] | null; inWords: (reason: string) => string }) {
  const t = useAdminText();
  const { locale } = useBilling();
  if (!last) return t("explain.never");
  const what = last.plan_id ?? t(`record.${last.kind === "plan" ? "other" : last.kind}`);
  const values = { what, until: format.dateTime(last.until, locale), next: last.then_plan_id ?? "" };
  if (last.then === null) return t("explain.gave", values);
  if (last.then === "moved") return t("explain.moved", values);
  return t("explain.became", { ...values, status: inWords(last.then) });
}
