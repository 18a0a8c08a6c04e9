"use client";

import { useId, useState, type FormEvent } from "react";
import { Said } from "../components/Said.js";
import { date, dateTime } from "../format.js";
import { useLanguage } from "../own-texts.js";
import { useBilling } from "../provider.js";
import { once } from "../queries.js";
import { npubOf } from "../signers/index.js";
import { AreYouSure } from "../ui/AreYouSure.js";
import { Button } from "../ui/Button.js";
import { FieldFault, faultOf } from "../ui/FieldFault.js";
import { ErrorNotice, Notice, NotRead } from "../ui/Notice.js";
import { useMessageCalls, useMessages, type Outcome, type MessageSettings } from "./message-queries.js";
import { useMessageText } from "./message-texts.js";

const KEY_FAULTS = ["message_key_unreadable"];
const CODE_FAULTS = ["message_code_wrong", "message_code_ended"];
const USUAL_DAYS = [14, 7, 3, 1];

/** Reminders by direct message to a Nostr key: off until a code that was sent to it came back. */
export function NostrMessages() {
  const t = useMessageText();
  const messages = useMessages();
  const [naming, setNaming] = useState(false);
  const [said, setSaid] = useState<string | null>(null);
  if (!messages.data) return <NotRead of={messages} title={t("title")} />;
  if (!messages.data.available && !messages.data.on) return null;
  const { on, asked_until: until, default_days: days, available } = messages.data;
  return (
    <div className="bsb-stack bsb:gap-3">
      <h3 className="bsb:font-semibold">{t("title")}</h3>
      {said && <Said text={said} onGone={() => setSaid(null)} />}
      {on && <On settings={on} available={available} onAnother={() => setNaming(true)} onSaid={setSaid} />}
      {!on && !naming && !until && (
        <>
          <p className="bsb-2">{t("about")}</p>
          <div className="bsb-row">
            <Button onClick={() => setNaming(true)}>{t("start")}</Button>
          </div>
        </>
      )}
      {naming && !until && <Name days={on?.days ?? days} onCancel={() => setNaming(false)} />}
      {until && (
        <Confirm
          until={until}
          days={on?.days ?? days}
          onDone={() => {
            setNaming(false);
            setSaid(t("is_on"));
          }}
        />
      )}
    </div>
  );
}

/** The key, and how many days before. What becomes of the code is said; only one that left leads on. */
function Name({ days: usual, onCancel }: { days: readonly number[]; onCancel: () => void }) {
  const t = useMessageText();
  const { session } = useBilling();
  const language = useLanguage();
  const id = useId();
  const { ask } = useMessageCalls();
  const [key, setKey] = useState("");
  const [days, setDays] = useState<readonly number[]>(usual);
  const fault = faultOf(ask.error, KEY_FAULTS);
  // A key of this browser alone has no reader that shows messages.
  const mine = session.signedInWith?.name === "nip07" ? session.signedInWith.pubkey : undefined;
  function submit(event: FormEvent) {
    event.preventDefault();
    if (days.length > 0) ask.mutate({ key: key.trim(), days: [...days], language });
  }
  return (
    <form className="bsb-stack bsb:gap-4" onSubmit={submit} autoComplete="off">
      <div className="bsb-field">
        <label className="bsb-label" htmlFor={`${id}-key`}>
          {t("key")}
        </label>
        <input
          id={`${id}-key`}
          className="bsb-input"
          spellCheck={false}
          autoComplete="off"
          autoCapitalize="none"
          placeholder="npub1…"
          aria-invalid={fault !== null}
          aria-describedby={`${fault ? `${id}-fault ` : ""}${id}-kept`}
          required
          maxLength={80}
          value={key}
          onChange={(event) => setKey(event.target.value)}
        />
        <FieldFault id={`${id}-fault`} of={fault} />
        <p className="bsb-small bsb-2" id={`${id}-kept`}>
          {t("kept")}
        </p>
      </div>
      {mine !== undefined && (
        <div className="bsb-row">
          <Button size="small" onClick={() => setKey(npubOf(mine))}>
            {t("key_mine")}
          </Button>
        </div>
      )}
      <Days usual={usual} days={days} onChange={setDays} />
      {ask.isError && !fault && <ErrorNotice error={ask.error} />}
      {ask.data && <Became outcome={ask.data.outcome} relays={ask.data.relays} />}
      <div className="bsb-row">
        <Button type="submit" variant="primary" busy={ask.isPending}>
          {t("send_code")}
        </Button>
        <Button variant="ghost" onClick={onCancel}>
          {t("cancel")}
        </Button>
      </div>
    </form>
  );
}

function Confirm({ until, days, onDone }: { until: string; days: readonly number[]; onDone: () => void }) {
  const t = useMessageText();
  const { locale } = useBilling();
  const id = useId();
  const { confirm } = useMessageCalls();
  const [code, setCode] = useState("");
  const [again, setAgain] = useState(false);
  const fault = faultOf(confirm.error, CODE_FAULTS);
  if (again) return <Name days={days} onCancel={() => setAgain(false)} />;
  return (
    <form
      className="bsb-stack bsb:gap-3"
      autoComplete="off"
      onSubmit={(event) => {
        event.preventDefault();
        once(confirm.mutateAsync(code.trim()), onDone);
      }}
    >
      <p role="status">{t("code_about", { time: dateTime(until, locale) })}</p>
      <div className="bsb-field">
        <label className="bsb-label" htmlFor={id}>
          {t("code")}
        </label>
        <input
          id={id}
          className="bsb-input bsb:max-w-48"
          inputMode="numeric"
          autoComplete="one-time-code"
          pattern="\s*[0-9]{6}\s*"
          required
          aria-invalid={fault !== null}
          aria-describedby={fault ? `${id}-fault` : undefined}
          value={code}
          onChange={(event) => setCode(event.target.value)}
        />
        <FieldFault id={`${id}-fault`} of={fault} />
      </div>
      {confirm.isError && !fault && <ErrorNotice error={confirm.error} />}
      <div className="bsb-row">
        <Button type="submit" variant="primary" busy={confirm.isPending}>
          {t("confirm")}
        </Button>
        <Button variant="ghost" onClick={() => setAgain(true)}>
          {t("another")}
        </Button>
      </div>
    </form>
  );
}

interface OnProps {
  settings: MessageSettings;
  available: boolean;
  onAnother: () => void;
  onSaid: (text: string) => void;
}

function On({ settings, available, onAnother, onSaid }: OnProps) {
  const t = useMessageText();
  const { locale } = useBilling();
  const language = useLanguage();
  const { test, set, remove } = useMessageCalls();
  const [days, setDays] = useState<readonly number[] | null>(null);
  const [leaving, setLeaving] = useState(false);
  const failed = [test.error, set.error, remove.error].find((error) => error !== null);
  const before = new Intl.ListFormat(locale).format(settings.days.map((count) => t("day", { count })));
  return (
    <>
      <p>
        {t("on", { date: date(settings.since, locale), days: before })}{" "}
        {settings.next_at && settings.next_end
          ? t("next", { date: date(settings.next_at, locale), end: date(settings.next_end, locale) })
          : t("next_none")}
      </p>
      <Last settings={settings} />
      {test.data && <Became outcome={test.data.outcome} relays={test.data.relays} />}
      {failed != null && <ErrorNotice error={failed} />}
      {days !== null && (
        <form
          className="bsb-stack bsb:gap-3"
          onSubmit={(event) => {
            event.preventDefault();
            if (days.length === 0) return;
            set.mutate(
              { days: [...days], language },
              {
                onSuccess: () => {
                  setDays(null);
                  onSaid(t("is_saved"));
                },
              },
            );
          }}
        >
          <Days usual={settings.days} days={days} onChange={setDays} />
          <div className="bsb-row">
            <Button type="submit" size="small" variant="primary" busy={set.isPending}>
              {t("save")}
            </Button>
            <Button size="small" variant="ghost" onClick={() => setDays(null)}>
              {t("cancel")}
            </Button>
          </div>
        </form>
      )}
      {leaving ? (
        <AreYouSure
          keep={t("off_keep")}
          onKeep={() => setLeaving(false)}
          go={t("off")}
          onGo={() => once(remove.mutateAsync(), () => onSaid(t("is_off")))}
          busy={remove.isPending}
        >
          {t("off_sure")}
        </AreYouSure>
      ) : (
        <div className="bsb-row">
          {available && (
            <Button size="small" busy={test.isPending} onClick={() => test.mutate()}>
              {t("test")}
            </Button>
          )}
          <Button size="small" onClick={() => setDays(settings.days)}>
            {t("change")}
          </Button>
          {available && (
            <Button size="small" variant="ghost" onClick={onAnother}>
              {t("another")}
            </Button>
          )}
          <Button size="small" variant="ghost" onClick={() => setLeaving(true)}>
            {t("off")}
          </Button>
        </div>
      )}
    </>
  );
}

/** What became of the last reminder: told also where it failed, because nobody else would. */
function Last({ settings: { last } }: { settings: MessageSettings }) {
  const t = useMessageText();
  const { locale } = useBilling();
  const because = useOutcomeText();
  if (!last) return null;
  const on = date(last.at, locale);
  if (last.outcome === "sent") return <p className="bsb-small bsb-2">{t("last_sent", { date: on })}</p>;
  const again = last.retry_at && t("retry", { time: dateTime(last.retry_at, locale) });
  return (
    <Notice tone="warn">
      {[t("last_failed", { date: on, why: because(last.outcome, []) }), again].filter(Boolean).join(" ")}
    </Notice>
  );
}

function Became({ outcome, relays }: { outcome: Outcome; relays: readonly string[] }) {
  const because = useOutcomeText();
  return (
    <Notice tone={outcome === "sent" ? "good" : "warn"} live>
      {because(outcome, relays)}
    </Notice>
  );
}

interface DaysProps {
  usual: readonly number[];
  days: readonly number[];
  onChange: (days: readonly number[]) => void;
}

function Days({ usual, days, onChange }: DaysProps) {
  const t = useMessageText();
  const choices = [...new Set([...USUAL_DAYS, ...usual])].sort((a, b) => b - a);
  return (
    <fieldset className="bsb-stack bsb:gap-1">
      <legend className="bsb-label">{t("days")}</legend>
      <div className="bsb-row">
        {choices.map((count) => (
          <label className="bsb-check" key={count}>
            <input
              type="checkbox"
              checked={days.includes(count)}
              required={days.length === 0}
              onChange={({ target }) => onChange(target.checked ? [...days, count] : days.filter((one) => one !== count))}
            />
            <span>{t("day", { count })}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

function useOutcomeText() {
  const t = useMessageText();
  const { locale } = useBilling();
  return (outcome: Outcome, relays: readonly string[]) =>
    t(`outcome_${outcome}`, { relays: new Intl.ListFormat(locale).format(relays) });
}
