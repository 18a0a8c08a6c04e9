import { Button, classes, ErrorNotice, format, SkeletonCard, useBilling } from "@bitsleuth/billing-react";
import { useState } from "react";
import { navigate, useQueryParam } from "../router.js";
import { ArchiveDialog } from "./ArchiveDialog.js";
import { MoveDialog } from "./MoveDialog.js";
import { Empty } from "./parts.js";
import { PlanEditor } from "./PlanEditor.js";
import { useAdminPlans, type AdminPlan } from "./queries.js";
import { useAdminText } from "./text.js";

type Asked = { kind: "move" | "archive"; plan: AdminPlan };

const edit = (planId: string) => navigate(`/console/plans?edit=${encodeURIComponent(planId)}`);

/** Every plan with its versions; create, put a new version on sale, archive. */
export function PlansPage() {
  const t = useAdminText();
  const plans = useAdminPlans();
  const [asked, setAsked] = useState<Asked | null>(null);
  const editing = useQueryParam("edit");
  const isNew = useQueryParam("new") !== null;
  const edited = newestOf(plans.data?.plans ?? []).find(({ plan_id, status }) => plan_id === editing && status !== "archived");
  if (isNew || edited) return <PlanEditor key={editing} plan={edited ?? null} onDone={() => navigate("/console/plans")} />;
  return (
    <div className="bsb-stack bsb:gap-6">
      <div className="bsb-row bsb-between">
        <h1 className="bsb-h1">{t("plans")}</h1>
        <Button variant="primary" onClick={() => navigate("/console/plans?new")}>
          {t("plans.new")}
        </Button>
      </div>
      {plans.isError && <ErrorNotice error={plans.error} onRetry={() => void plans.refetch()} />}
      {plans.isPending && <SkeletonCard lines={8} />}
      {plans.data && <PlanTable plans={newestOf(plans.data.plans)} onAsk={setAsked} />}
      {asked?.kind === "move" && <MoveDialog plan={asked.plan} onClose={() => setAsked(null)} />}
      {asked?.kind === "archive" && <ArchiveDialog plan={asked.plan} onClose={() => setAsked(null)} />}
    </div>
  );
}

/** Of each plan its newest version: what is sold first, by rank. */
function newestOf(plans: readonly AdminPlan[]): AdminPlan[] {
  return plans
    .filter((plan) => plans.every((other) => other.plan_id !== plan.plan_id || other.version <= plan.version))
    .sort((a, b) => Number(a.status === "archived") - Number(b.status === "archived") || a.rank - b.rank);
}

function PlanTable({ plans, onAsk }: { plans: AdminPlan[]; onAsk: (asked: Asked) => void }) {
  const t = useAdminText();
  if (plans.length === 0) return <Empty>{t("plans.none")}</Empty>;
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
          {plans.map((plan) => (
            <PlanRow key={plan.plan_id} plan={plan} onAsk={onAsk} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function PlanRow({ plan, onAsk }: { plan: AdminPlan; onAsk: (asked: Asked) => void }) {
  const t = useAdminText();
  const { locale } = useBilling();
  const archived = plan.status === "archived";
  return (
    <tr>
      <th scope="row">
        {plan.name}
        <p className="bsb-tiny bsb-2 bsb:font-normal">
          <span className="bsb-mono bsb:break-normal">{plan.plan_id}</span> <span className="bsb:whitespace-nowrap">· {t("plan.version", { version: String(plan.version) })}</span>
        </p>
      </th>
      <td className="bsb-end bsb-number bsb:whitespace-nowrap">
        {format.money(plan.price_cents, plan.currency, locale)}
        <p className="bsb-2 bsb-tiny">{t(`interval.${plan.interval}`)}</p>
      </td>
      <td>
        <span className={classes("bsb-badge", plan.status === "active" && "bsb-badge-good")}>{t(`plan.${plan.status}`)}</span>
      </td>
      <td className="bsb-end">
        <div className="bsb:flex bsb:flex-col bsb:items-end bsb:gap-1 bsb:whitespace-nowrap bsb:sm:flex-row bsb:sm:justify-end">
          {!archived && (
            <>
              <Button size="small" onClick={() => edit(plan.plan_id)}>
                {t("edit")}
                <span className="bsb-hidden"> {plan.plan_id}</span>
              </Button>
              {plan.version > 1 && plan.interval !== "once" && plan.price_cents > 0 && (
                <Button size="small" onClick={() => onAsk({ kind: "move", plan })}>
                  {t("move")}
                  <span className="bsb-hidden"> {plan.plan_id}</span>
                </Button>
              )}
              <Button size="small" variant="ghost" onClick={() => onAsk({ kind: "archive", plan })}>
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
