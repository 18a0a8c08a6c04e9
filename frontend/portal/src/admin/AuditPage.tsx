import type { Schemas } from "@bitsleuth/billing-api-client";
import { Button, classes, download, ErrorNotice, format, Icon, SkeletonCard, useBilling } from "@bitsleuth/billing-react";
import { useState } from "react";
import { setQueryParam, useQueryParam } from "../router.js";
import type { AdminKey } from "./messages/en.js";
import { Empty, UserLink, useReason } from "./parts.js";
import { useAudit, useAuditFile } from "./queries.js";
import { useAdminText } from "./text.js";

type Entry = Schemas["AuditEntry"];

// The log is kept for 400 days.
const MONTHS = 14;
const ABOUT_USERS = ["grant", "revoke_grant", "refund", "export", "add_note", "remove_note", "give_days", "cancel_subscription", "resume_subscription", "change_plan"];
const ACTIONS: Readonly<Record<string, AdminKey>> = {
  accept_invoice: "did.accept_invoice",
  add_note: "did.add_note",
  archive_plan: "did.archive_plan",
  cancel_subscription: "did.cancel_subscription",
  change_endpoint: "did.change_endpoint",
  change_plan: "did.change_plan",
  create_endpoint: "did.create_endpoint",
  create_plan: "did.create_plan",
  delete_endpoint: "did.delete_endpoint",
  end_old_endpoint_secret: "did.end_old_endpoint_secret",
  erase: "did.erase",
  export: "did.export",
  give_days: "did.give_days",
  grant: "did.grant",
  make_vouchers: "did.make_vouchers",
  move_subscribers: "did.move_subscribers",
  note_vanished: "did.note_vanished",
  pause_endpoint: "did.pause_endpoint",
  reconcile: "did.reconcile",
  redrive: "did.redrive",
  refund: "did.refund",
  remove_note: "did.remove_note",
  replay: "did.replay",
  resend_event: "did.resend_event",
  resend_events: "did.resend_events",
  resume_subscription: "did.resume_subscription",
  revoke_grant: "did.revoke_grant",
  revoke_vouchers: "did.revoke_vouchers",
  rotate_endpoint_secret: "did.rotate_endpoint_secret",
  set_aside: "did.set_aside",
  set_flag: "did.set_flag",
  show_voucher_codes: "did.show_voucher_codes",
  stop_move: "did.stop_move",
  sync_prices: "did.sync_prices",
  take_back: "did.take_back",
  undo_move: "did.undo_move",
  update_plan: "did.update_plan",
};

/** What admins did, a month at a time; about one user, plan or flag when it is named. */
export function AuditPage() {
  const t = useAdminText();
  const subject = useQueryParam("subject") ?? "";
  const [months] = useState(() => lastMonths(new Date()));
  const chosen = useQueryParam("month");
  const month = months.find((name) => name === chosen) ?? months[0] ?? "";
  const [actor, action] = [useQueryParam("actor") ?? "", useQueryParam("action") ?? ""];
  const asked = { at: Date.parse(`${month}-01T00:00:00Z`) / 1000, subject, actor, action };
  const audit = useAudit(asked);
  const file = useAuditFile();
  const save = () => file.mutate(asked, { onSuccess: (text) => download(`audit-${month}.csv`, text) });
  return (
    <div className="bsb-stack bsb:gap-6">
      <div className="bsb-stack bsb:gap-1">
        <h1 className="bsb-h1">{t("audit")}</h1>
        <p className="bsb-2">{t("audit.about")}</p>
      </div>
      <Choice key={`${subject}/${actor}`} subject={subject} actor={actor} action={action} month={month} months={months} onSave={save} />
      {audit.isError && <ErrorNotice error={audit.error} onRetry={() => void audit.refetch()} />}
      {file.isError && <ErrorNotice error={file.error} />}
      {audit.isPending && <SkeletonCard lines={6} />}
      {audit.data?.entries.length === 0 && <Empty>{t(subject || actor || action ? "audit.none_fit" : "audit.none")}</Empty>}
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

interface ChoiceProps {
  subject: string;
  actor: string;
  action: string;
  month: string;
  months: readonly string[];
  onSave: () => void;
}

function Choice({ subject, actor, action, month, months, onSave }: ChoiceProps) {
  const t = useAdminText();
  const { locale } = useBilling();
  const [text, setText] = useState(subject);
  const [who, setWho] = useState(actor);
  const name = new Intl.DateTimeFormat(locale, { month: "long", year: "numeric", timeZone: "UTC" });
  return (
    <form
      className="admin-filter"
      onSubmit={(event) => {
        event.preventDefault();
        setQueryParam("subject", text.trim());
        setQueryParam("actor", who.trim());
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
      <input
        className="bsb-input"
        type="search"
        aria-label={t("audit.actor")}
        placeholder={t("audit.actor")}
        maxLength={200}
        value={who}
        onChange={(event) => setWho(event.target.value)}
      />
      <select className="bsb-input" aria-label={t("audit.action")} value={action} onChange={(event) => setQueryParam("action", event.target.value)}>
        <option value="">{t("audit.action.any")}</option>
        {Object.entries(ACTIONS).map(([name, key]) => (
          <option key={name} value={name}>
            {t(key)}
          </option>
        ))}
      </select>
      <Button type="submit">{t("audit.filter")}</Button>
      <Button variant="ghost" onClick={onSave}>
        <Icon name="download" size={16} />
        CSV
      </Button>
    </form>
  );
}

type State = Readonly<Record<string, unknown>>;

interface Difference {
  path: string;
  before: string | null;
  after: string | null;
}

/** What differs between two states, leaf by leaf: where, and from what to what. */
export function differences(before: unknown, after: unknown, path = ""): Difference[] {
  const [old, now] = [parsed(before), parsed(after)];
  // Nothing beside a list is no state; beside a state it is an empty one.
  const [left, right] = [old ?? {}, now ?? {}];
  if (isState(left) && isState(right)) {
    const keys = [...new Set([...Object.keys(left), ...Object.keys(right)])].filter((key) => !OURS.includes(key));
    return keys.flatMap((key) => differences(left[key], right[key], path ? `${path} › ${key}` : key));
  }
  const [was, is] = [said(old), said(now)];
  return was === is ? [] : [{ path, before: was, after: is }];
}

// Numbers of our own, which say nothing to a person.
const OURS = ["user_id", "record", "account_version", "due_shard", "waits_shard"];
const isState = (value: unknown): value is State => typeof value === "object" && value !== null && !Array.isArray(value);
const isNothing = (value: unknown) => value === undefined || value === null || (isState(value) && Object.keys(value).length === 0);
const said = (value: unknown) => (isNothing(value) ? null : typeof value === "string" ? value : JSON.stringify(value));

/** Nested values are kept as one text each. */
function parsed(value: unknown): unknown {
  if (typeof value !== "string" || !/^[{[]/.test(value)) return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value;
  }
}

/** A moment as a time and an amount as money, where their names say that they are; all else as it is stored. */
export function readably(currency: string | null, locale: string) {
  return (path: string, value: string | null): string => {
    if (value === null) return "–";
    const name = path.split(" › ").at(-1) ?? "";
    if (!/^-?\d+$/.test(value)) return value;
    if (/_(at|start|end)$/.test(name) && Number(value) > 1e9) return format.dateTime(new Date(Number(value) * 1000).toISOString(), locale);
    return name.endsWith("_cents") && currency ? format.money(Number(value), currency, locale) : value;
  };
}

/** The one currency that an entry speaks of; null where it names none, or several. */
function currencyOf({ before, after }: Entry): string | null {
  const currencies = new Set([...JSON.stringify([before, after]).matchAll(/\\?"currency\\?":\s*\\?"([A-Z]{3})\\?"/g)].map(([, code]) => code));
  const [only] = currencies;
  return currencies.size === 1 ? (only ?? null) : null;
}

function AuditLine({ entry }: { entry: Entry }) {
  const t = useAdminText();
  const { locale } = useBilling();
  const inWords = useReason();
  const did = ACTIONS[entry.action];
  const changes = differences(entry.before, entry.after);
  const readable = readably(currencyOf(entry), locale);
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
      {changes.length > 0 && (
        <details className="bsb-small">
          <summary className="bsb-summary bsb-2">{t("audit.change")}</summary>
          {/* Scrolls sideways where it is narrow, so the keyboard must reach it. */}
          {/* eslint-disable-next-line jsx-a11y-x/no-noninteractive-tabindex */}
          <div className="bsb-scroll bsb:mt-2" role="group" tabIndex={0} aria-label={t("audit.change")}>
            <table className="bsb-table bsb-tiny stacked">
              <thead>
                <tr>
                  {(["audit.field", "audit.before", "audit.after"] as const).map((column) => (
                    <th key={column} scope="col">
                      {t(column)}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {changes.map(({ path, before, after }) => (
                  <tr key={path}>
                    <th scope="row" className="bsb-mono">
                      {path || entry.subject}
                    </th>
                    <td className={classes("bsb-mono", before !== null && "admin-was")} data-label={t("audit.before")}>{readable(path, before)}</td>
                    <td className={classes("bsb-mono", after !== null && "admin-is")} data-label={t("audit.after")}>{readable(path, after)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </details>
      )}
    </li>
  );
}
