import type { Schemas } from "@bitsleuth/billing-api-client";
import { Button, classes, Dialog, ErrorNotice, FeatureChanges, format, Notice, SkeletonCard, useBilling } from "@bitsleuth/billing-react";
import { useState } from "react";
import { AskDialog } from "./AskDialog.js";
import { useMay } from "./may.js";
import { Field } from "./parts.js";
import { Touched } from "./PlanEffect.js";
import { useMove, useStartMove, useStopMove, useUndoMove, type AdminPlan } from "./queries.js";
import { useAdminText } from "./text.js";

type Move = Schemas["PlanMove"];

/** Subscribers of older versions to the newest one: what it changes for them, how it stands, start, stop, undo. */
export function MoveDialog({ plan, onClose }: { plan: AdminPlan; onClose: () => void }) {
  const t = useAdminText();
  const move = useMove(plan.plan_id);
  return (
    <Dialog onClose={onClose} title={t("move.title", { version: plan.version })} description={t("move.about")}>
      {move.isPending && <SkeletonCard lines={5} />}
      {move.isError && <ErrorNotice error={move.error} onRetry={() => void move.refetch()} />}
      {move.data && <Controls plan={plan} move={move.data} onClose={onClose} />}
    </Dialog>
  );
}

interface ControlsProps {
  plan: AdminPlan;
  move: Move;
  onClose: () => void;
}

/** Who may not move anybody sees how a move stands, and whom it would touch. */
function Controls(props: ControlsProps) {
  const t = useAdminText();
  const may = useMay();
  if (may("POST /admin/plans/{plan_id}/move")) return <Steering {...props} />;
  const { plan, move, onClose } = props;
  return (
    <div className="bsb-stack">
      {move.status !== "none" && <Standing move={move} />}
      <Effects plan={plan} effects={move.effects} />
      <div className="bsb-dialog-actions">
        <Button onClick={onClose}>{t("close")}</Button>
      </div>
    </div>
  );
}

function Steering({ plan, move, onClose }: ControlsProps) {
  const t = useAdminText();
  const start = useStartMove(plan.plan_id);
  const stop = useStopMove();
  const undo = useUndoMove();
  const [undoing, setUndoing] = useState(false);
  const [percent, setPercent] = useState(move.status === "none" ? 5 : move.percent);
  const [perHour, setPerHour] = useState(move.per_hour);
  const [notice, setNotice] = useState(move.notice_days);
  const current = move.to_version === plan.version;
  const open = move.status === "running" || move.status === "undoing";
  const touched = move.moved > 0 && move.status !== "undone" && move.status !== "undoing";
  const failed = start.error ?? stop.error;
  const existing = current && move.status !== "none";
  return (
    <>
      <form
        className="bsb-stack"
        onSubmit={(event) => {
          event.preventDefault();
          start.mutate({ to_version: plan.version, percent, per_hour: perHour, notice_days: notice });
        }}
      >
        {move.status !== "none" && <Standing move={move} />}
        <Effects plan={plan} effects={move.effects} />
        <div className="bsb:grid bsb:gap-3 bsb:sm:grid-cols-3">
          <NumberField id="move-percent" label={t("move.percent")} min={1} max={100} value={percent} onChange={setPercent} />
          <NumberField id="move-pace" label={t("move.per_hour")} min={1} max={2000} value={perHour} onChange={setPerHour} />
          <NumberField id="move-notice" label={t("move.notice")} min={0} max={90} value={notice} onChange={setNotice} />
        </div>
        {failed && <ErrorNotice error={failed} />}
        <div className="bsb-dialog-actions">
          <Button onClick={onClose}>{t("close")}</Button>
          {touched && (
            <Button variant="danger" onClick={() => setUndoing(true)}>
              {t("move.undo")}
            </Button>
          )}
          {open && (
            <Button busy={stop.isPending} onClick={() => stop.mutate(plan.plan_id)}>
              {t("move.stop")}
            </Button>
          )}
          {move.status !== "undoing" && (
            <Button type="submit" variant="primary" busy={start.isPending} disabled={move.effects.length === 0 && !existing}>
              {t(existing ? "move.go_on" : "move.start")}
            </Button>
          )}
        </div>
      </form>
      {undoing && (
        <AskDialog title={t("move.undo.title")} about={t("move.undo.about")} act={t("move.undo")} acting={undo} onAct={() => undo.mutate(plan.plan_id, { onSuccess: () => setUndoing(false) })} onClose={() => setUndoing(false)} />
      )}
    </>
  );
}

interface NumberFieldProps {
  id: string;
  label: string;
  min: number;
  max: number;
  value: number;
  onChange: (value: number) => void;
}

function NumberField({ id, label, min, max, value, onChange }: NumberFieldProps) {
  return (
    <Field id={id} label={label}>
      {(field) => (
        <input {...field}
          className="bsb-input"
          type="number"
          required
          min={min}
          max={max}
          value={Number.isNaN(value) ? "" : value}
          onChange={(event) => onChange(event.target.valueAsNumber)}
        />
      )}
    </Field>
  );
}

const COUNTS = ["moved", "waiting", "refused", "undone", "not_undone"] as const;

function Standing({ move }: { move: Move }) {
  const t = useAdminText();
  const { locale } = useBilling();
  const counts = COUNTS.filter((name) => move[name] > 0).map((name) => t(`move.${name}`, { count: move[name] }));
  return (
    <div className="bsb-stack bsb:gap-1" role="status">
      <p className="bsb-row">
        <span className={classes("bsb-badge", move.status === "done" && "bsb-badge-good", move.status === "running" && "bsb-badge-warn")}>
          {t(`move.status.${move.status as Exclude<Move["status"], "none">}`)}
        </span>
        <span>{t("move.to", { version: move.to_version, percent: move.percent })}</span>
      </p>
      <p className="bsb-2">{counts.length > 0 ? counts.join(" · ") : t("move.nobody_yet")}</p>
      {move.started_at && (
        <p className="bsb-2 bsb-tiny">{t("move.started", { date: format.date(move.started_at, locale), actor: move.started_by ?? "" })}</p>
      )}
    </div>
  );
}

/** What changes for whom; without anybody on an older version there is nothing to do. */
function Effects({ plan, effects }: { plan: AdminPlan; effects: readonly Schemas["MoveEffect"][] }) {
  const t = useAdminText();
  const { locale } = useBilling();
  if (effects.length === 0) return <p className="bsb-2">{t("move.nobody")}</p>;
  const dearer = effects.some((effect) => effect.price_change_cents > 0);
  return (
    <>
      <ul className="bsb-stack bsb:gap-2">
        {effects.map((effect) => (
          <li key={effect.from_version} className="bsb-stack bsb:gap-0">
            <strong>{t("move.from", { count: effect.subscribers, version: effect.from_version })}</strong>
            <span className="bsb-number">
              {effect.price_change_cents === 0
                ? t("move.same_price", { price: format.money(effect.price_cents, effect.currency, locale) })
                : t("move.price", {
                    before: format.money(effect.price_cents, effect.currency, locale),
                    after: format.money(plan.price_cents, plan.currency, locale),
                  })}
            </span>
            <span className="bsb-number">
              {t("move.mrr", {
                now: format.money(effect.mrr_cents, effect.currency, locale),
                change: (effect.mrr_change_cents > 0 ? "+" : "") + format.money(effect.mrr_change_cents, effect.currency, locale),
              })}
            </span>
            <FeatureChanges changes={effect.changes} title={t("effect.features")} />
          </li>
        ))}
      </ul>
      <Touched planId={plan.plan_id} />
      {dearer && <Notice tone="warn">{t("move.dearer")}</Notice>}
    </>
  );
}
