import { ApiError } from "@bitsleuth/billing-api-client";
import { Button, Dialog, ErrorNotice, format, Notice, useBilling } from "@bitsleuth/billing-react";
import { useState } from "react";
import { Field } from "./parts.js";
import { useRevenue, useSetFlag, type Flags } from "./queries.js";
import { useAdminText } from "./text.js";

const NAME = /^[a-z0-9][a-z0-9_.-]{0,63}$/;
const USER = /^[A-Za-z0-9_.:@/-]{1,128}$/;
const MOST_ALLOWED = 200;

interface FlagDialogProps {
  /** Empty: a new flag. */
  name: string;
  /** As they were when it opened: whatever is read behind it later was not seen. */
  flags: Flags;
  onClose: () => void;
}

/** How many of those who pay today a share would reach: places are spread evenly, so it is about that many. */
export function useExpected(): (percent: number) => string {
  const t = useAdminText();
  const { locale } = useBilling();
  const [today] = useState(() => new Date().toISOString().slice(0, 10));
  const active = useRevenue({ from: today, to: today }).data?.totals.active;
  return (percent) =>
    active === undefined ? "" : t("flag.expected", { count: format.number(Math.round((active * percent) / 100), locale), all: format.number(active, locale) });
}

/** Off for everybody at once; what was in force can be put back as long as the dialog is open. */
export function StopDialog({ name, flags: shown, onClose }: FlagDialogProps) {
  const t = useAdminText();
  const [flags] = useState(shown);
  const save = useSetFlag();
  const before = flags.flags[name] ?? { percent: 0, allow: [] };
  const expected = useExpected()(before.percent);
  const newest = newestOf(save.error);
  const set = (body: { percent: number; allow: readonly string[] }) =>
    save.mutate({ name, body: { percent: body.percent, allow: [...body.allow], version: (newest ?? save.data ?? flags).version } });
  const isOff = save.isSuccess && save.data.flags[name]?.percent === 0 && save.data.flags[name].allow.length === 0;
  return (
    <Dialog onClose={onClose} title={t("flag.stop_of", { name })} description={t("flag.stop.about")}>
      <p className="bsb-number">
        {t("rollout.share", { percent: before.percent })}
        {before.allow.length > 0 && ` · ${t("rollout.allowed", { count: before.allow.length })}`}
        {expected && ` · ${expected}`}
      </p>
      {save.isSuccess && (
        <Notice
          tone={isOff ? "warn" : "good"}
          live
          action={
            isOff && (
              <Button size="small" busy={save.isPending} onClick={() => set(before)}>
                {t("flag.put_back")}
              </Button>
            )
          }
        >
          {t(isOff ? "flag.stopped" : "flag.is_back")}
        </Notice>
      )}
      {newest && <Notice tone="warn" title={t("flag.conflict")} live>{t("flag.now", { percent: newest.flags[name]?.percent ?? 0, count: newest.flags[name]?.allow.length ?? 0, version: newest.version })}</Notice>}
      {save.isError && !newest && <ErrorNotice error={save.error} />}
      <div className="bsb-dialog-actions">
        <Button onClick={onClose}>{t(save.isSuccess ? "close" : "cancel")}</Button>
        {!save.isSuccess && (
          <Button variant="danger" busy={save.isPending} onClick={() => set({ percent: 0, allow: [] })}>
            {t("flag.stop.do")}
          </Button>
        )}
      </div>
    </Dialog>
  );
}

/** Sets a flag at the version that was seen. When somebody else was faster, it shows what is in force now and asks again. */
export function FlagDialog({ name, flags: shown, onClose }: FlagDialogProps) {
  const t = useAdminText();
  const [flags] = useState(shown);
  const save = useSetFlag();
  const [title, setTitle] = useState(name || (flags.flags.billing ? "" : "billing"));
  const [percent, setPercent] = useState(String(flags.flags[name]?.percent ?? 0));
  const [listed, setListed] = useState((flags.flags[name]?.allow ?? []).join("\n"));
  const newest = newestOf(save.error);
  const now = newest?.flags[title];
  const expected = useExpected();
  const share = /^\d{1,3}$/.test(percent) && Number(percent) <= 100 ? Number(percent) : null;
  const allow = [...new Set(listed.split(/[\s,]+/).filter(Boolean))];
  const unfit = allow.find((user) => !USER.test(user));
  const taken = name === "" && title in (newest ?? flags).flags && !newest;
  const valid = NAME.test(title) && share !== null && unfit === undefined && allow.length <= MOST_ALLOWED && !taken;
  const takeNewest = () => {
    setPercent(String(now?.percent ?? 0));
    setListed((now?.allow ?? []).join("\n"));
  };
  return (
    <Dialog onClose={onClose} title={name ? t("flag.change_of", { name }) : t("flag.add")} description={t("flag.about")}>
      <form
        className="bsb-stack"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          const version = (newest ?? flags).version;
          if (valid) save.mutate({ name: title, body: { percent: share, allow, version } }, { onSuccess: onClose });
        }}
      >
        {name === "" && (
          <Field id="flag-name" label={t("flag.name")} fault={nameFault(t, title, taken)}>
            {(field) => <input {...field} className="bsb-input bsb-mono" autoComplete="off" spellCheck={false} value={title} onChange={(e) => setTitle(e.target.value)} />}
          </Field>
        )}
        <Field id="flag-percent" label={t("flag.percent")} hint={share === null ? "" : expected(share)} fault={share === null ? t("flag.percent.wrong") : undefined}>
          {(field) => (
            <div className="bsb-row bsb:flex-nowrap bsb:gap-4">
              <input
                type="range"
                className="admin-range"
                aria-label={t("flag.percent.slider")}
                min={0}
                max={100}
                value={share ?? 0}
                onChange={(e) => setPercent(e.target.value)}
              />
              <input
                {...field}
                className="bsb-input bsb-number bsb:w-20 bsb:text-end"
                inputMode="numeric"
                value={percent}
                onChange={(e) => setPercent(e.target.value.trim())}
              />
              <span aria-hidden="true">%</span>
            </div>
          )}
        </Field>
        <Field
          id="flag-allow"
          label={t("flag.allow")}
          hint={t("flag.allow.about")}
          fault={unfit !== undefined ? t("flag.allow.wrong", { user: unfit }) : allow.length > MOST_ALLOWED ? t("flag.allow.most", { count: MOST_ALLOWED }) : undefined}
        >
          {(field) => <textarea {...field} className="bsb-input bsb-mono" rows={3} spellCheck={false} value={listed} onChange={(e) => setListed(e.target.value)} />}
        </Field>
        {newest && (
          <Notice
            tone="warn"
            live
            title={t("flag.conflict")}
            action={
              <Button size="small" onClick={takeNewest}>
                {t("flag.take")}
              </Button>
            }
          >
            {t("flag.now", { percent: now?.percent ?? 0, count: now?.allow.length ?? 0, version: newest.version })}
          </Notice>
        )}
        {save.isError && !newest && <ErrorNotice error={save.error} />}
        <div className="bsb-dialog-actions">
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button type="submit" variant="primary" busy={save.isPending} disabled={!valid}>
            {t(newest ? "flag.save_over" : "flag.save")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function nameFault(t: ReturnType<typeof useAdminText>, name: string, taken: boolean): string | undefined {
  if (taken) return t("flag.name.taken");
  return name === "" || NAME.test(name) ? undefined : t("flag.name.wrong");
}

/** The flags that are in force, when the service refused because they are not those that were seen. */
function newestOf(error: unknown): Flags | null {
  return error instanceof ApiError && error.code === "version_conflict" ? (error.problem.newest as Flags) : null;
}
