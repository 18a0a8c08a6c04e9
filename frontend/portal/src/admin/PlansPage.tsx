import type { Schemas } from "@bitsleuth/billing-api-client";
import { Button, classes, ErrorNotice, format, Notice, SkeletonCard, useBilling } from "@bitsleuth/billing-react";
import { useState } from "react";
import { navigate, useQueryParam } from "../router.js";
import { ArchiveDialog } from "./ArchiveDialog.js";
import { useMay } from "./may.js";
import { MoveDialog } from "./MoveDialog.js";
import { drafts, offersFrom, type AdminOffer } from "./offer.js";
import { Empty } from "./parts.js";
import { holdersOf } from "./PlanEffect.js";
import { PlanEditor } from "./PlanEditor.js";
import { PlanVersions } from "./PlanVersions.js";
import { useAdminPlans, type AdminPlan } from "./queries.js";
import { useAdminText } from "./text.js";

type Asked = { kind: "move" | "archive"; plan: AdminPlan };
type Standing = readonly Schemas["PlanStanding"][];

/** What is sold, offer by offer, with who has it; create, edit, compare versions, move, archive. */
export function PlansPage() {
  const t = useAdminText();
  const plans = useAdminPlans();
  const may = useMay();
  const [asked, setAsked] = useState<Asked | null>(null);
  const [saved, setSaved] = useState(false);
  const editing = useQueryParam("edit");
  const compared = useQueryParam("versions");
  const isNew = useQueryParam("new") !== null;
  const offers = offersFrom(plans.data?.plans ?? []);
  const edited = offers.find((offer) => offer.plans.some(({ plan_id, status }) => plan_id === editing && status !== "archived"));
  const onDone = (published: boolean) => {
    setSaved(published);
    navigate("/console/plans");
  };
  if ((isNew || edited) && may("PUT /admin/offers")) return <PlanEditor key={edited?.key ?? "new"} offer={edited ?? null} onDone={onDone} />;
  const versions = (plans.data?.plans ?? []).filter(({ plan_id }) => plan_id === compared);
  if (plans.data && versions.length > 0) return <PlanVersions versions={versions} standing={plans.data.standing} />;
  return (
    <div className="bsb-stack bsb:gap-6">
      <div className="bsb-row bsb-between">
        <h1 className="bsb-h1">{t("plans")}</h1>
        {may("PUT /admin/offers") && (
          <Button variant="primary" onClick={() => navigate("/console/plans?new")}>
            {t(drafts.read("new") ? "plans.new.go_on" : "plans.new")}
          </Button>
        )}
      </div>
      {saved && (
        <Notice tone="good" live title={t("plans.saved")}>
          {t("plans.saved.about")}
        </Notice>
      )}
      {plans.isError && <ErrorNotice error={plans.error} onRetry={() => void plans.refetch()} />}
      {plans.isPending && <SkeletonCard lines={8} />}
      {plans.data && offers.length === 0 && <Empty>{t("plans.none")}</Empty>}
      {plans.data && offers.length > 0 && (
        <ul className="bsb-stack" aria-label={t("plans")}>
          {offers.map((offer) => (
            <OfferLine key={offer.key} offer={offer} freeId={plans.data.free_plan_id} standing={plans.data.standing} onAsk={setAsked} />
          ))}
        </ul>
      )}
      {asked?.kind === "move" && <MoveDialog plan={asked.plan} onClose={() => setAsked(null)} />}
      {asked?.kind === "archive" && <ArchiveDialog plan={asked.plan} free={asked.plan.plan_id === plans.data?.free_plan_id} onClose={() => setAsked(null)} />}
    </div>
  );
}

interface LineProps {
  /** The plan of those who have bought nothing. */
  freeId: string | null;
  standing: Standing;
  onAsk: (asked: Asked) => void;
}

function OfferLine({ offer, ...line }: LineProps & { offer: AdminOffer }) {
  const t = useAdminText();
  const may = useMay();
  const [first] = offer.plans;
  if (!first) return null;
  return (
    <li className="bsb-card bsb-card-flush">
      <div className="admin-line bsb-row bsb-between">
        <h2 className="bsb-h3">{first.name}</h2>
        {first.status !== "archived" && may("PUT /admin/offers") && (
          <Button size="small" onClick={() => navigate(`/console/plans?edit=${encodeURIComponent(first.plan_id)}`)}>
            {t(drafts.read(offer.key) ? "plans.go_on" : "edit")}
            <span className="bsb-hidden"> {first.name}</span>
          </Button>
        )}
      </div>
      <ul aria-label={first.name}>
        {offer.plans.map((plan) => (
          <PlanLine key={plan.plan_id} plan={plan} {...line} />
        ))}
      </ul>
    </li>
  );
}

function PlanLine({ plan, freeId, standing, onAsk }: LineProps & { plan: AdminPlan }) {
  const t = useAdminText();
  const { locale } = useBilling();
  const may = useMay();
  const movable = plan.version > 1 && plan.interval !== "once" && plan.price_cents > 0 && plan.status !== "archived";
  const of = <span className="bsb-hidden"> {plan.plan_id}</span>;
  return (
    <li className="admin-line admin-plan">
      <div className="bsb:min-w-0">
        <p className="bsb-small bsb-mono">{plan.plan_id}</p>
        <p className="bsb-tiny bsb-2">
          <a className="bsb-link" href={`/console/plans?versions=${encodeURIComponent(plan.plan_id)}`}>
            {t("plan.version", { version: String(plan.version) })}
            {of}
          </a>{" "}
          <span className={classes("bsb-badge", plan.status === "active" && "bsb-badge-good")}>{t(`plan.${plan.status}`)}</span>
        </p>
      </div>
      <p className="bsb-number bsb:text-end bsb:whitespace-nowrap">
        {format.money(plan.price_cents, plan.currency, locale)}
        <span className="bsb-2 bsb-tiny bsb:block">{t(`interval.${plan.interval}`)}</span>
      </p>
      {plan.plan_id === freeId ? <p className="bsb-2 bsb-small">{t("plans.everybody")}</p> : <Holders plan={plan} standing={standing} />}
      <div className="bsb-row bsb:justify-end bsb:gap-1">
        {movable && (
          <Button size="small" variant="ghost" onClick={() => onAsk({ kind: "move", plan })}>
            {t("move")}
            {of}
          </Button>
        )}
        {plan.status !== "archived" && may("POST /admin/plans/{plan_id}/archive") && (
          <Button size="small" variant="ghost" onClick={() => onAsk({ kind: "archive", plan })}>
            {t("archive")}
            {of}
          </Button>
        )}
      </div>
    </li>
  );
}

/** Who has it and what that brings, version by version where there are several. */
function Holders({ plan, standing }: { plan: AdminPlan; standing: Standing }) {
  const t = useAdminText();
  const { locale } = useBilling();
  const held = standing.filter(({ plan_id }) => plan_id === plan.plan_id).sort((a, b) => b.version - a.version);
  if (held.length === 0) return <p className="bsb-2 bsb-small">{t("plans.nobody")}</p>;
  return (
    <ul className="bsb-small bsb-number">
      {held.map((one) => (
        <li key={`${one.version} ${one.currency}`}>
          {(held.length > 1 || one.version !== plan.version) && <span className="bsb-2">{t("plan.version", { version: String(one.version) })}: </span>}
          <a className="bsb-link" href={holdersOf(plan.plan_id, one.version)}>
            {t("plans.subscribers", { count: one.subscribers })}
          </a>
          {one.trialing > 0 && ` · ${t("plans.trialing", { count: one.trialing })}`}
          {one.mrr_cents !== 0 && <span className="bsb:whitespace-nowrap"> · {t("plans.mrr", { amount: format.money(one.mrr_cents, one.currency, locale) })}</span>}
        </li>
      ))}
    </ul>
  );
}
