import type { Schemas } from "@bitsleuth/billing-api-client";
import { Button, ErrorNotice, format, SkeletonCard, useBilling } from "@bitsleuth/billing-react";
import { useState } from "react";
import { setQueryParam, useQueryParam } from "../router.js";
import type { AdminKey } from "./messages/en.js";
import { Empty, UserLink, useReason } from "./parts.js";
import { useAudit } from "./queries.js";
import { useAdminText } from "./text.js";

type Entry = Schemas["AuditEntry"];

// The log is kept for 400 days.
const MONTHS = 14;
const ABOUT_USERS = ["grant", "revoke_grant", "refund", "export"];
const ACTIONS: Readonly<Record<string, AdminKey>> = {
  accept_invoice: "did.accept_invoice",
  archive_plan: "did.archive_plan",
  create_plan: "did.create_plan",
  erase: "did.erase",
  export: "did.export",
  grant: "did.grant",
  redrive: "did.redrive",
  refund: "did.refund",
  revoke_grant: "did.revoke_grant",
  set_flag: "did.set_flag",
  update_plan: "did.update_plan",
};

/** What admins did, a month at a time; about one user, plan or flag when it is named. */
export function AuditPage() {
  const t = useAdminText();
  const subject = useQueryParam("subject") ?? "";
  const [months] = useState(() => lastMonths(new Date()));
  const asked = useQueryParam("month");
  const month = months.find((name) => name === asked) ?? months[0] ?? "";
  const audit = useAudit(Date.parse(`${month}-01T00:00:00Z`) / 1000, subject);
  return (
    <div className="bsb-stack bsb:gap-6">
      <div className="bsb-stack bsb:gap-1">
        <h1 className="bsb-h1">{t("audit")}</h1>
        <p className="bsb-2">{t("audit.about")}</p>
      </div>
      <Choice key={subject} subject={subject} month={month} months={months} />
      {audit.isError && <ErrorNotice error={audit.error} onRetry={() => void audit.refetch()} />}
      {audit.isPending && <SkeletonCard lines={6} />}
      {audit.data?.entries.length === 0 && <Empty>{t(subject ? "audit.none_about" : "audit.none", { subject })}</Empty>}
      {audit.data && audit.data.entries.length > 0 && (
        <ul className="bsb-card bsb-card-flush">
          {audit.data.entries.map((entry, i) => (
            <AuditLine key={`${entry.at}/${i}`} entry={entry} />
          ))}
        </ul>
      )}
      {audit.data?.entries.length === 100 && <p className="bsb-2 bsb-small">{t("audit.newest")}</p>}
    </div>
  );
}

/** "2026-11" and the months before it. */
function lastMonths(now: Date): string[] {
  return Array.from({ length: MONTHS }, (_, back) =>
    new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - back)).toISOString().slice(0, 7),
  );
}

function Choice({ subject, month, months }: { subject: string; month: string; months: readonly string[] }) {
  const t = useAdminText();
  const { locale } = useBilling();
  const [text, setText] = useState(subject);
  const name = new Intl.DateTimeFormat(locale, { month: "long", year: "numeric", timeZone: "UTC" });
  return (
    <form
      className="admin-filter"
      onSubmit={(event) => {
        event.preventDefault();
        setQueryParam("subject", text.trim());
      }}
    >
      <select className="bsb-input" aria-label={t("month")} value={month} onChange={(event) => setQueryParam("month", event.target.value)}>
        {months.map((value) => (
          <option key={value} value={value}>
            {name.format(new Date(`${value}-01T00:00:00Z`))}
          </option>
        ))}
      </select>
      <input
        className="bsb-input"
        type="search"
        aria-label={t("audit.subject")}
        placeholder={t("audit.subject")}
        maxLength={200}
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <Button type="submit">{t("audit.filter")}</Button>
    </form>
  );
}

type State = Readonly<Record<string, unknown>>;

/** Of a state before and after, what is not the same in both. */
function changed(before: State, after: State): [State, State] {
  const differs = ([key]: [string, unknown]) => JSON.stringify(before[key]) !== JSON.stringify(after[key]);
  return [Object.fromEntries(Object.entries(before).filter(differs)), Object.fromEntries(Object.entries(after).filter(differs))];
}

function AuditLine({ entry }: { entry: Entry }) {
  const t = useAdminText();
  const { locale } = useBilling();
  const inWords = useReason();
  const did = ACTIONS[entry.action];
  const [before, after] = changed((entry.before ?? {}) as State, (entry.after ?? {}) as State);
  const shown = [
    ["audit.before", before],
    ["audit.after", after],
  ] as const;
  const told = shown.filter(([, state]) => Object.keys(state).length > 0);
  return (
    <li className="admin-line bsb-stack bsb:gap-2">
      <div className="bsb-row bsb-between bsb:items-start">
        <div className="bsb:min-w-0">
          <p className="bsb-small">
            <span className="bsb:font-semibold">{did ? t(did) : entry.action.replaceAll("_", " ")}</span>{" "}
            {ABOUT_USERS.includes(entry.action) ? (
              <UserLink userId={entry.subject} />
            ) : (
              <span className="bsb-mono">{entry.subject}</span>
            )}
          </p>
          <p className="bsb-2 bsb-tiny">
            {t("audit.by")} <span className="bsb-mono">{entry.actor}</span>
            {entry.reason && ` · ${inWords(entry.reason)}`}
          </p>
        </div>
        <time className="bsb-2 bsb-tiny bsb-number" dateTime={entry.at}>
          {format.dateTime(entry.at, locale)}
        </time>
      </div>
      {told.length > 0 && (
        <details className="bsb-small">
          <summary className="bsb-summary bsb-2">{t("audit.change")}</summary>
          <div className="admin-halves bsb:mt-2">
            {told.map(([name, state]) => (
              <div key={name}>
                <h3 className="bsb-tiny bsb-2">{t(name)}</h3>
                <pre className="admin-code">{JSON.stringify(state, null, 2)}</pre>
              </div>
            ))}
          </div>
        </details>
      )}
    </li>
  );
}
