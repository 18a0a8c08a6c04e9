import type { Schemas } from "@bitsleuth/billing-api-client";
import { format, useBilling } from "@bitsleuth/billing-react";
import { Empty, useReason } from "./parts.js";
import { useAdminText } from "./text.js";

/** What happened to a user, newest first: changes of records, and the money that moved. */
export function Timeline({ entries }: { entries: Schemas["UserDetail"]["timeline"] }) {
  const t = useAdminText();
  const inWords = useReason();
  const { locale } = useBilling();
  if (entries.length === 0) return <Empty>{t("nothing")}</Empty>;
  return (
    <ol className="admin-timeline">
      {entries.map((entry, i) => (
        <li key={`${entry.at}/${i}`}>
          <p className="bsb-small">
            {entry.title}
            {entry.amount_cents !== null && entry.amount_cents !== undefined && entry.currency && (
              <span className="bsb-number"> · {format.money(entry.amount_cents, entry.currency, locale)}</span>
            )}
          </p>
          <p className="bsb-2 bsb-tiny">
            <time dateTime={entry.at}>{format.dateTime(entry.at, locale)}</time>
            {[entry.actor, entry.reason && inWords(entry.reason), entry.event_id].filter(Boolean).map((part) => ` · ${part}`)}
          </p>
        </li>
      ))}
    </ol>
  );
}
