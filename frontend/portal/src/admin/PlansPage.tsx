import { Button, classes, ErrorNotice, format, SkeletonLines, useBilling } from "@bitsleuth/billing-react";
import { useState } from "react";
import { ArchiveDialog } from "./ArchiveDialog.js";
import { MoveDialog } from "./MoveDialog.js";
import { PlanEditor } from "./PlanEditor.js";
import { useAdminPlans, type AdminPlan } from "./queries.js";
import { useAdminText } from "./text.js";

type Editing = { kind: "new" } | { kind: "edit"; plan: AdminPlan } | { kind: "move" | "archive"; plan: AdminPlan } | null;

/** Every plan with its versions; create, put a new version on sale, archive. */
export function PlansPage() {
  const t = useAdminText();
  const plans = useAdminPlans();
  const [editing, setEditing] = useState<Editing>(null);
  if (editing?.kind === "new" || editing?.kind === "edit") {
    return <PlanEditor plan={editing.kind === "edit" ? editing.plan : null} onDone={() => setEditing(null)} />;
  }
  return (
    <div className="bsb-stack bsb:gap-6">
      <div className="bsb-row bsb-between">
        <h1 className="bsb-h1">{t("plans")}</h1>
        <Button variant="primary" onClick={() => setEditing({ kind: "new" })}>
          {t("plans.new")}
        </Button>
      </div>
      {plans.isError && <ErrorNotice error={plans.error} onRetry={() => void plans.refetch()} />}
      {plans.isPending && (
        <div className="bsb-card">
          <SkeletonLines lines={6} />
        </div>
      )}
      {plans.data && <PlanTable plans={plans.data.plans} onEdit={setEditing} />}
      {editing?.kind === "move" && <MoveDialog plan={editing.plan} onClose={() => setEditing(null)} />}
      {editing?.kind === "archive" && <ArchiveDialog plan={editing.plan} onClose={() => setEditing(null)} />}
    </div>
  );
}

function PlanTable({ plans, onEdit }: { plans: AdminPlan[]; onEdit: (editing: Editing) => void }) {
  const t = useAdminText();
  if (plans.length === 0) return <p className="bsb-card bsb-2">{t("plans.none")}</p>;
  const newest = plans.filter((plan) => plans.every((p) => p.plan_id !== plan.plan_id || p.version <= plan.version));
  newest.sort((a, b) => Number(a.status === "archived") - Number(b.status === "archived") || a.rank - b.rank);
  return (
    // Scrolls sideways on small screens, so the keyboard must reach it.
    // eslint-disable-next-line jsx-a11y-x/no-noninteractive-tabindex
    <div className="bsb-card bsb-card-flush bsb-scroll" role="group" tabIndex={0} aria-label={t("plans")}>
      <table className="bsb-table">
        <thead>
          <tr>
            <th scope="col">{t("plan")}</th>
            <th scope="col" className="bsb-end">{t("price")}</th>
            <th scope="col">{t("status")}</th>
            <th scope="col">
              <span className="bsb-hidden">{t("actions")}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {newest.map((plan) => (
            <PlanRow key={plan.plan_id} plan={plan} onEdit={onEdit} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function PlanRow({ plan, onEdit }: { plan: AdminPlan; onEdit: (editing: Editing) => void }) {
  const t = useAdminText();
  const { locale } = useBilling();
  const archived = plan.status === "archived";
  return (
    <tr>
      <th scope="row">
        {plan.name}
        <p className="bsb-mono bsb-2 bsb:font-normal bsb:break-normal">{plan.plan_id}</p>
        <p className="bsb-tiny bsb-2 bsb:font-normal">{t("plan.version", { version: String(plan.version) })}</p>
      </th>
      <td className="bsb-end bsb-number bsb:whitespace-nowrap">
        {format.money(plan.price_cents, plan.currency, locale)}
        <p className="bsb-2 bsb-tiny">{t(`interval.${plan.interval}`)}</p>
      </td>
      <td>
        <span className={classes("bsb-badge", plan.status === "active" && "bsb-badge-good")}>{t(`plan.${plan.status}`)}</span>
      </td>
      <td className="bsb-end">
        <div className="bsb:flex bsb:flex-col bsb:items-end bsb:gap-1 bsb:sm:flex-row bsb:sm:justify-end">
          {!archived && (
            <>
              <Button size="small" onClick={() => onEdit({ kind: "edit", plan })}>
                {t("edit")}
                <span className="bsb-hidden"> {plan.plan_id}</span>
              </Button>
              {plan.version > 1 && plan.interval !== "once" && plan.price_cents > 0 && (
                <Button size="small" onClick={() => onEdit({ kind: "move", plan })}>
                  {t("move")}
                  <span className="bsb-hidden"> {plan.plan_id}</span>
                </Button>
              )}
              <Button size="small" variant="ghost" onClick={() => onEdit({ kind: "archive", plan })}>
                {t("archive")}
                <span className="bsb-hidden"> {plan.plan_id}</span>
              </Button>
            </>
          )}
        </div>
      </td>
    </tr>
  );
}
