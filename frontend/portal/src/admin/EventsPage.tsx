import type { Schemas } from "@bitsleuth/billing-api-client";
import { Button, classes, Dialog, ErrorNotice, format, Notice, SkeletonCard, useBilling } from "@bitsleuth/billing-react";
import { useState } from "react";
import { navigate, useQueryParam } from "../router.js";
import { useMay } from "./may.js";
import { Empty, roomFor, UserLink } from "./parts.js";
import { useEvents, useRedrive, useTakeBack } from "./queries.js";
import { SetAsideDialog } from "./SetAsideDialog.js";
import { useAdminOptional, useAdminText } from "./text.js";

type Event = Schemas["PaymentEventView"];
const STATUSES = ["dead", "failed", "quarantined", "set_aside", "processed"] as const;

/** Payment events; those that failed with the cause in plain words, and the way to send them again. */
export function EventsPage() {
  const t = useAdminText();
  const asked = useQueryParam("status");
  const status = STATUSES.find((name) => name === asked) ?? "dead";
  const [cursor, setCursor] = useState("");
  const q = useQueryParam("q") ?? "";
  const events = useEvents(status, cursor, q);
  const [redriving, setRedriving] = useState<string[] | "all" | null>(null);
  const [aside, setAside] = useState<Event | null>(null);
  const may = useMay();
  return (
    <div className="bsb-stack bsb:gap-6">
      <div className="bsb-row bsb-between">
        <h1 className="bsb-h1">{t("events")}</h1>
        {status === "dead" && !q && events.data && events.data.queue.dead > 0 && may("POST /admin/events/redrive") && (
          <Button variant="primary" onClick={() => setRedriving("all")}>
            {t("redrive.all")}
          </Button>
        )}
      </div>
      <Queue queue={events.data?.queue} />
      <Search key={q} q={q} />
      <fieldset className="bsb-segments bsb:self-start">
        <legend className="bsb-hidden">{t("status")}</legend>
        {STATUSES.map((name) => (
          <label key={name}>
            <input
              type="radio"
              name="status"
              checked={name === status && !q}
              onChange={() => {
                setCursor("");
                navigate(`/console/events?status=${name}`, { replace: true });
              }}
            />
            {t(`events.${name}`)}
          </label>
        ))}
      </fieldset>
      {events.isError && <ErrorNotice error={events.error} onRetry={() => void events.refetch()} />}
      {events.isPending && (
        <SkeletonCard lines={6} />
      )}
      {events.data && events.data.events.length === 0 && <Empty>{t(q ? "events.not_found" : `events.${status}.none`)}</Empty>}
      {events.data && events.data.events.length > 0 && (
        <ul className="bsb-card bsb-card-flush">
          {events.data.events.map((event) => (
            <EventLine key={event.event_id} event={event} onRedrive={() => setRedriving([event.event_id])} onSetAside={() => setAside(event)} />
          ))}
        </ul>
      )}
      <div className="bsb-row">
        {cursor && !q && <Button onClick={() => setCursor("")}>{t("newest")}</Button>}
        {events.data?.next && <Button onClick={() => setCursor(events.data.next ?? "")}>{t("more")}</Button>}
      </div>
      {redriving && <RedriveDialog which={redriving} onClose={() => setRedriving(null)} />}
      {aside && <SetAsideDialog event={aside} onClose={() => setAside(null)} />}
    </div>
  );
}

function Search({ q }: { q: string }) {
  const t = useAdminText();
  const [text, setText] = useState(q);
  return (
    <form
      className="bsb-row bsb:flex-nowrap"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        navigate(`/console/events${text.trim() ? `?q=${encodeURIComponent(text.trim())}` : ""}`, { replace: true });
      }}
    >
      <input className="bsb-input bsb:max-w-lg" type="search" aria-label={t("events.search")} placeholder={t("events.search")} maxLength={128} value={text} onChange={(event) => setText(event.target.value)} />
      <Button type="submit">{t("users.find")}</Button>
    </form>
  );
}

function Queue({ queue }: { queue: Schemas["QueueDepth"] | undefined }) {
  const t = useAdminText();
  const { locale } = useBilling();
  const shown = (name: keyof Schemas["QueueDepth"]) => (queue ? format.number(queue[name], locale) : "–");
  return (
    <dl className="admin-grid admin-grid-three">
      {(["dead", "failing", "quarantined"] as const).map((name) => (
        <div key={name} className="bsb-card admin-figure">
          <dt className="bsb-2 bsb-small">{t(`queue.${name}`)}</dt>
          <dd style={roomFor(shown(name))}>{shown(name)}</dd>
        </div>
      ))}
      {queue && queue.set_aside > 0 && (
        <div className="bsb-2 bsb-small">
          <dt className="bsb-hidden">{t("events.set_aside")}</dt>
          <dd>{t("aside.count", { count: queue.set_aside })}</dd>
        </div>
      )}
      {queue && queue.waiting + queue.in_flight > 0 && (
        <div className="bsb-2 bsb-small">
          <dt className="bsb-hidden">{t("queue.waiting")}</dt>
          <dd>{t("queue.moving", { waiting: format.number(queue.waiting, locale), working: format.number(queue.in_flight, locale) })}</dd>
        </div>
      )}
    </dl>
  );
}

const TONES: Readonly<Record<string, string>> = {
  applied: "bsb-badge-good",
  failed: "bsb-badge-warn",
  quarantined: "bsb-badge-warn",
  dead: "bsb-badge-bad",
};

interface EventLineProps {
  event: Event;
  onRedrive: () => void;
  onSetAside: () => void;
}

function EventLine({ event, onRedrive, onSetAside }: EventLineProps) {
  const t = useAdminText();
  const { locale } = useBilling();
  const back = useTakeBack();
  return (
    <li className="admin-line bsb-stack bsb:gap-2">
      <div className="bsb-row bsb-between bsb:items-start">
        <div className="bsb:min-w-0">
          <h2 className="bsb-small bsb:font-semibold">
            {event.type}
            {event.amount_cents !== null && event.currency && <span className="bsb-number"> · {format.money(event.amount_cents, event.currency, locale)}</span>}
            {event.plan_id && <span className="bsb-2 bsb-mono"> · {event.plan_id}</span>}
          </h2>
          <p className="bsb-2 bsb-tiny">
            {format.dateTime(event.received_at, locale)} · <span className="bsb-mono">{event.event_id}</span>
            {event.user_id && (
              <>
                {" · "}
                <UserLink userId={event.user_id} />
              </>
            )}
          </p>
        </div>
        <div className="bsb-row">
          <span className={classes("bsb-badge", TONES[event.outcome ?? event.status])}>
            {t(`event.${event.outcome ?? event.status}`)}
          </span>
          <Acts event={event} back={back} onRedrive={onRedrive} onSetAside={onSetAside} />
        </div>
      </div>
      {event.aside_reason && (
        <p className="bsb-small">
          {t("aside.said", { reason: event.aside_reason })} <span className="bsb-2 bsb-mono">{event.aside_by}</span>
        </p>
      )}
      <Cause event={event} />
      {back.isError && <ErrorNotice error={back.error} />}
      <details className="bsb-small">
        <summary className="bsb-summary bsb-2">{t("events.payload")}</summary>
        <pre className="admin-code bsb:mt-2">{JSON.stringify(event.payload, null, 2)}</pre>
      </details>
    </li>
  );
}

/** Why it failed and what helps, in the page's language; beside it what was said at the time, with its ids. */
function Cause({ event: { cause, code, remedy } }: { event: Event }) {
  const optional = useAdminOptional();
  if (!cause) return null;
  const inWords = code ? optional("cause", code) : undefined;
  return (
    <div className="bsb-small">
      <p>{inWords ?? cause}</p>
      {remedy && <p className="bsb-2">{(code && optional("remedy", code)) ?? remedy}</p>}
      {inWords && (
        <p className="bsb-2 bsb-tiny bsb-mono" lang="en">
          {cause}
        </p>
      )}
    </div>
  );
}

function Acts({ event, back, onRedrive, onSetAside }: EventLineProps & { back: ReturnType<typeof useTakeBack> }) {
  const t = useAdminText();
  const may = useMay();
  const of = <span className="bsb-hidden"> {event.event_id}</span>;
  const open = event.status === "dead" || event.status === "failed" || event.status === "quarantined";
  return (
    <>
      {event.status === "dead" && may("POST /admin/events/redrive") && (
        <Button size="small" onClick={onRedrive}>
          {t("redrive")}
          {of}
        </Button>
      )}
      {open && event.code !== "unreadable" && may("POST /admin/events/set-aside") && (
        <Button size="small" variant="ghost" onClick={onSetAside}>
          {t("aside")}
          {of}
        </Button>
      )}
      {event.status === "set_aside" && may("POST /admin/events/take-back") && (
        <Button size="small" variant="ghost" busy={back.isPending} onClick={() => back.mutate(event.event_id)}>
          {t("aside.back")}
          {of}
        </Button>
      )}
    </>
  );
}

/** A dry run first: which would go, which not and why; then the real thing. */
export function RedriveDialog({ which, onClose }: { which: string[] | "all"; onClose: () => void }) {
  const t = useAdminText();
  // Apart, so that what the dry run found stays to be read while the real one runs.
  const dry = useRedrive();
  const redrive = useRedrive();
  const event_ids = which === "all" ? null : which;
  const result = redrive.data ?? dry.data;
  const ready = dry.data?.items.some((item) => item.outcome === "would_redrive") ?? false;
  return (
    <Dialog onClose={onClose} title={t("redrive")} description={t("redrive.about")} width="36rem">
      {result && (
        <ul className="bsb-stack bsb:gap-2">
          {result.items.length === 0 && <li className="bsb-2">{t("redrive.none")}</li>}
          {result.items.map((item) => (
            <li key={item.event_id} className="bsb-row bsb-between bsb-small">
              <span className="bsb-mono">{item.event_id}</span>
              <span className="bsb-2">{(item.outcome === "skipped" && item.reason) || t(`redrive.${item.outcome}`)}</span>
            </li>
          ))}
        </ul>
      )}
      {redrive.data && (
        <Notice tone="good" live>
          {t("redrive.done")}
        </Notice>
      )}
      {(dry.isError || redrive.isError) && <ErrorNotice error={redrive.error ?? dry.error} />}
      <div className="bsb-dialog-actions">
        <Button onClick={onClose}>{t(redrive.data ? "close" : "cancel")}</Button>
        {!redrive.data && (
          <Button
            variant="primary"
            busy={dry.isPending || redrive.isPending}
            disabled={dry.data !== undefined && !ready}
            onClick={() => (ready ? redrive : dry).mutate({ event_ids, dry_run: !ready })}
          >
            {t(ready ? "redrive.do" : "redrive.dry")}
          </Button>
        )}
      </div>
    </Dialog>
  );
}
