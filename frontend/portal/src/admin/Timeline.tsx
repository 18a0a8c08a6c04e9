import type { Schemas } from "@bitsleuth/billing-api-client";
import { format, useBilling, useOptionalText } from "@bitsleuth/billing-react";
import { Empty, useReason } from "./parts.js";
import { useAdminText } from "./text.js";

type Entry = Schemas["TimelineEntry"];

/** What happened to a user, newest first: changes of records, and the money that moved. */
export function Timeline({ entries }: { entries: readonly Entry[] }) {
  const t = useAdminText();
  const inWords = useReason();
  const sentence = useSentence();
  const { locale } = useBilling();
  if (entries.length === 0) return <Empty>{t("nothing")}</Empty>;
  return (
    <ol className="admin-timeline">
      {entries.map((entry, i) => (
        <li key={`${entry.at}/${i}`}>
          <p className="bsb-small">
            {sentence(entry)}
            {entry.amount_cents !== null && entry.currency !== null && (
              <span className="bsb-number"> · {format.money(entry.amount_cents + (entry.tax_cents ?? 0), entry.currency, locale)}</span>
            )}
          </p>
          <p className="bsb-2 bsb-tiny">
            <time dateTime={entry.at}>{format.dateTime(entry.at, locale)}</time>
            {[entry.provider, entry.actor, entry.reason && inWords(entry.reason), entry.event_id].filter(Boolean).map((part) => ` · ${part}`)}
          </p>
        </li>
      ))}
    </ol>
  );
}

/** An entry as a sentence in the page's language. */
function useSentence(): (entry: Entry) => string {
  const t = useAdminText();
  const inWords = useReason();
  const optional = useOptionalText();
  const { locale } = useBilling();
  return ({ code, kind, plan_id, plan_was, next_plan_id, status, until }) => {
    const what = plan_id ?? t(`record.${kind}`);
    const said = status === null ? "" : (optional("status", status) ?? inWords(status));
    return t(`timeline.${code}`, { what, was: plan_was ?? "", next: next_plan_id ?? "", status: said, until: until === null ? "" : format.date(until, locale) });
  };
}
