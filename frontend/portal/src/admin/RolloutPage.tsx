import { isFlagOn, place } from "@bitsleuth/entitlements";
import { Button, classes, ErrorNotice, format, SkeletonCard, useBilling } from "@bitsleuth/billing-react";
import { useState } from "react";
import { FlagDialog, StopDialog, useExpected } from "./FlagDialog.js";
import { useMay } from "./may.js";
import { Empty } from "./parts.js";
import { useFlags, type Flags } from "./queries.js";
import { useAdminText } from "./text.js";

/** The flags in force: change one, add one, and ask who is in. */
export function RolloutPage() {
  const t = useAdminText();
  const { locale } = useBilling();
  const flags = useFlags();
  const [editing, setEditing] = useState<string | null>(null);
  const [stopping, setStopping] = useState<string | null>(null);
  const may = useMay();
  const names = Object.keys(flags.data?.flags ?? {}).sort();
  return (
    <div className="bsb-stack bsb:gap-6">
      <div className="bsb-row bsb-between">
        <h1 className="bsb-h1">{t("rollout")}</h1>
        {flags.data && may("PUT /admin/flags/{name}") && (
          <Button variant="primary" onClick={() => setEditing("")}>
            {t("flag.add")}
          </Button>
        )}
      </div>
      <p className="bsb-2">{t("rollout.about")}</p>
      {flags.isError && <ErrorNotice error={flags.error} onRetry={() => void flags.refetch()} />}
      {flags.isPending && <SkeletonCard lines={4} />}
      {flags.data && names.length === 0 && <Empty>{t("rollout.none")}</Empty>}
      {flags.data && names.length > 0 && (
        <>
          <ul className="bsb-card bsb-card-flush">
            {names.map((name) => (
              <FlagLine key={name} name={name} flags={flags.data} onEdit={() => setEditing(name)} onStop={() => setStopping(name)} />
            ))}
          </ul>
          <WhoIsIn flags={flags.data} names={names} />
          <p className="bsb-2 bsb-small">{t("rollout.version", { version: format.number(flags.data.version, locale) })}</p>
        </>
      )}
      {flags.data && stopping !== null && <StopDialog name={stopping} flags={flags.data} onClose={() => setStopping(null)} />}
      {flags.data && editing !== null && <FlagDialog name={editing} flags={flags.data} onClose={() => setEditing(null)} />}
    </div>
  );
}

interface FlagLineProps {
  name: string;
  flags: Flags;
  onEdit: () => void;
  onStop: () => void;
}

function FlagLine({ name, flags, onEdit, onStop }: FlagLineProps) {
  const t = useAdminText();
  const expected = useExpected();
  const may = useMay()("PUT /admin/flags/{name}");
  const flag = flags.flags[name];
  if (!flag) return null;
  return (
    <li className="admin-line bsb-stack bsb:gap-3">
      <div className="bsb-row bsb-between">
        <div className="bsb:min-w-0">
          <h2 className="bsb-h3 bsb-mono">{name}</h2>
          <p className="bsb-2 bsb-small bsb-number">
            {t("rollout.share", { percent: flag.percent })}
            {flag.allow.length > 0 && ` · ${t("rollout.allowed", { count: flag.allow.length })}`}
            {expected(flag.percent) && ` · ${expected(flag.percent)}`}
          </p>
        </div>
        {may && (
          <div className="bsb-row bsb:gap-1">
            {(flag.percent > 0 || flag.allow.length > 0) && (
              <Button size="small" variant="danger" onClick={onStop}>
                {t("flag.stop")}
                <span className="bsb-hidden"> {name}</span>
              </Button>
            )}
            <Button size="small" onClick={onEdit}>
              {t("flag.change")}
              <span className="bsb-hidden"> {name}</span>
            </Button>
          </div>
        )}
      </div>
      <progress className="bsb-meter" aria-label={name} value={flag.percent} max={100} />
    </li>
  );
}

/** Computed here, by the function that every host and page asks. */
function WhoIsIn({ flags, names }: { flags: Flags; names: readonly string[] }) {
  const t = useAdminText();
  const [typed, setTyped] = useState("");
  const user = typed.trim();
  const reason = (name: string) => {
    const flag = flags.flags[name];
    if (flag?.allow.includes(user)) return t("who.allowed");
    return t(isFlagOn(flags, name, user) ? "who.below" : "who.above", { percent: flag?.percent ?? 0 });
  };
  return (
    <section className="bsb-card bsb-stack" aria-labelledby="who">
      <div className="bsb-stack bsb:gap-1">
        <h2 className="bsb-h3" id="who">
          {t("who")}
        </h2>
        <p className="bsb-2 bsb-small">{t("who.about")}</p>
      </div>
      <input
        className="bsb-input bsb-mono bsb:max-w-lg"
        aria-label={t("user_id")}
        placeholder={t("user_id")}
        autoComplete="off"
        spellCheck={false}
        maxLength={128}
        value={typed}
        onChange={(event) => setTyped(event.target.value)}
      />
      <div role="status">
        {user !== "" && (
          <ul className="bsb-stack bsb:gap-2">
            {names.map((name) => {
              const on = isFlagOn(flags, name, user);
              return (
                <li key={name} className="bsb-row bsb:items-baseline bsb:gap-x-3">
                  <span className={classes("bsb-badge", on && "bsb-badge-good")}>{t(on ? "who.in" : "who.out")}</span>
                  <span className="bsb-mono">{name}</span>
                  <span className="bsb-2 bsb-small bsb-number">
                    {t("who.place", { place: place(flags.salt, name, user) })} {reason(name)}
                  </span>
                </li>
              );
            })}
          </ul>
        )}
      </div>
    </section>
  );
}
