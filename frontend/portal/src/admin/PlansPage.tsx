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
      {plans.data && <PlanList plans={newestOf(plans.data.plans)} onAsk={setAsked} />}
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

function PlanList({ plans, onAsk }: { plans: AdminPlan[]; onAsk: (asked: Asked) => void }) {
  const t = useAdminText();
  if (plans.length === 0) return <Empty>{t("plans.none")}</Empty>;
  return (
    <ul className="bsb-card bsb-card-flush admin-plans" aria-label={t("plans")}>
      {plans.map((plan) => (
        <PlanLine key={plan.plan_id} plan={plan} onAsk={onAsk} />
      ))}
    </ul>
  );
}

function PlanLine({ plan, onAsk }: { plan: AdminPlan; onAsk: (asked: Asked) => void }) {
  const t = useAdminText();
  const { locale } = useBilling();
  const movable = plan.version > 1 && plan.interval !== "once" && plan.price_cents > 0;
  const of = <span className="bsb-hidden"> {plan.plan_id}</span>;
  return (
    <li className="admin-line">
      <div className="bsb:min-w-0">
        <h2 className="bsb-h3">{plan.name}</h2>
        <p className="bsb-tiny bsb-2">
          <span className="bsb-mono">{plan.plan_id}</span> · {t("plan.version", { version: String(plan.version) })}
        </p>
      </div>
      <p className="bsb-number bsb:text-end bsb:whitespace-nowrap">
        {format.money(plan.price_cents, plan.currency, locale)}
        <span className="bsb-2 bsb-tiny bsb:block">{t(`interval.${plan.interval}`)}</span>
      </p>
      <span className={classes("bsb-badge", plan.status === "active" && "bsb-badge-good")}>{t(`plan.${plan.status}`)}</span>
      <div className="bsb-row bsb:justify-end bsb:gap-1">
        {plan.status !== "archived" && (
          <>
            {movable && (
              <Button size="small" variant="ghost" onClick={() => onAsk({ kind: "move", plan })}>
                {t("move")}
                {of}
              </Button>
            )}
            <Button size="small" variant="ghost" onClick={() => onAsk({ kind: "archive", plan })}>
              {t("archive")}
              {of}
            </Button>
            <Button size="small" onClick={() => edit(plan.plan_id)}>
              {t("edit")}
              {of}
            </Button>
          </>
        )}
      </div>
    </li>
  );
}
