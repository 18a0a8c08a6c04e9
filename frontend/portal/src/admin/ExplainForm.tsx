import { Button, ErrorNotice, format, Notice, SkeletonCard, useBilling, usePlans } from "@bitsleuth/billing-react";
import { useState } from "react";
import { useReason } from "./parts.js";
import { useExplain } from "./queries.js";
import { useAdminText } from "./text.js";
import { Timeline } from "./Timeline.js";

/** "Why does this user have, or not have, this, at that time?" */
export function ExplainForm({ userId, features }: { userId: string; features: readonly string[] }) {
  const t = useAdminText();
  const [feature, setFeature] = useState("");
  const [at, setAt] = useState("");
  const [asked, setAsked] = useState({ feature: "", at: "" });
  const known = usePlans().data?.features.map((info) => info.feature) ?? [];
  const choices = [...new Set([...features, ...known])].sort();
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
    <>
      <Notice tone={data.allowed ? "good" : "warn"} title={t(data.allowed ? "explain.yes" : "explain.no", { feature, time })} live>
        {data.sources.length === 0 ? (
          t("explain.no_source")
        ) : (
          <ul>
            {data.sources.map((source) => (
              <li key={source.id}>
                {source.plan_id ?? source.kind}: {inWords(source.reason)}
                {source.expires_at && `, ${t("until", { date: format.dateTime(source.expires_at, locale) })}`}
              </li>
            ))}
          </ul>
        )}
      </Notice>
      {data.timeline.length > 0 && <Timeline entries={data.timeline} />}
    </>
  );
}
