"use client";

import { ApiError } from "@bitsleuth/billing-api-client";
import type { PaywallProblem, Scenario } from "@bitsleuth/entitlements";
import { useEffect, useState } from "react";
import { grants, money, type Plan } from "../format.js";
import { useBilling, useUserId } from "../provider.js";
import { useDecision, usePlans, useQuotes, useTrack } from "../queries.js";
import { useFeatureTexts } from "../text-of-feature.js";
import { useT } from "../text.js";
import { Button, ButtonLink } from "../ui/Button.js";
import { Icon } from "../ui/Icon.js";
import { ErrorNotice } from "../ui/Notice.js";
import { Skeleton, SkeletonCard } from "../ui/Skeleton.js";
import { ChangePlanDialog } from "./dialogs.js";
import { PurchaseDialog } from "./PurchaseDialog.js";
import { StartFree } from "./StartFree.js";
import UnknownCard from "./UnknownCard.js";

export interface LockedCardProps {
  feature: string;
  /** The problem of a 402 answer, when there is one; otherwise the service is asked. */
  problem?: Partial<PaywallProblem>;
  accountUrl?: string;
  /** Somebody without a key took one, for what the free plan has. */
  onStarted?: () => void;
}

/** Why a feature is closed, and the smallest step that opens it. */
export default function LockedCard(props: LockedCardProps) {
  const { feature, problem, accountUrl = "/account/billing", onStarted = () => {} } = props;
  const t = useT();
  const { pricingUrl } = useBilling();
  const catalogue = usePlans();
  const texts = useFeatureTexts(catalogue.data?.features);
  const signedIn = useUserId() !== null;
  const decision = useDecision(feature, signedIn && problem?.scenario === undefined);
  // Whoever takes a key here is known a moment before what it opens is.
  const [starting, setStarting] = useState(false);
  const free = !signedIn && isFree(feature, catalogue.data?.plans ?? []);
  // Kept while it is asked again, and while a stranger becomes known: what is being bought in a dialog here stays open.
  const [last, setLast] = useState<Refusal | null>(signedIn ? null : STRANGER);
  const said = refusalOf(problem) ?? refusalOf(decision.error);
  if (said && JSON.stringify(said) !== JSON.stringify(last)) setLast(said);
  const refusal = said ?? last;
  const scenario = free || starting ? { name: "free" as const, offers: [] } : refusal;
  const track = useTrack();
  useEffect(() => track({ event: "paywall_seen", feature }), [track, feature]);
  // Neither a refusal nor a price is said on a guess: without the plans, and before the service has answered, there is none.
  if ((catalogue.isError && !catalogue.data) || (decision.isError && !scenario)) {
    return <UnknownCard onRetry={() => Promise.all([catalogue.refetch(), signedIn ? decision.refetch() : null])} />;
  }
  if (!scenario || !catalogue.data) {
    return (
      <div className="bsb">
        <SkeletonCard heading lines={2} height="2.5rem" />
      </div>
    );
  }
  return (
    <section className="bsb bsb-card bsb-stack bsb-locked" aria-labelledby={`bsb-locked-${feature}`}>
      <span className="bsb-locked-icon">
        <Icon name={scenario.name === "free" ? "key" : "lock"} size={22} />
      </span>
      <div className="bsb-stack bsb:max-w-md bsb:gap-2">
        <h2 className="bsb-h2" id={`bsb-locked-${feature}`}>
          {t(`locked.${scenario.name}`, { feature: texts.name(feature) })}
        </h2>
        <p className="bsb-2">
          {(scenario.name === "not_in_plan" && texts.description(feature)) || t(`locked.${scenario.name}.about`)}
        </p>
      </div>
      {scenario.name === "free" ? (
        <StartFree onStarting={setStarting} onStarted={onStarted} />
      ) : scenario.name === "payment_failed" ? (
        <ButtonLink href={accountUrl} variant="primary" main>
          {t("locked.fix_payment")}
        </ButtonLink>
      ) : (
        <Unlock feature={feature} offers={scenario.offers} accountUrl={accountUrl} />
      )}
      <ButtonLink href={pricingUrl} variant="ghost" size="small">
        {t("locked.compare")}
      </ButtonLink>
    </section>
  );
}

interface Refusal {
  name: Scenario;
  offers: string[];
}

/** To somebody who is nobody yet, everything that is not free is for sale. */
const STRANGER: Refusal = { name: "not_in_plan", offers: [] };

function refusalOf(said: unknown): Refusal | null {
  const problem = (said instanceof ApiError ? said.problem : (said ?? {})) as Partial<PaywallProblem>;
  if (!problem.scenario) return null;
  return { name: problem.scenario, offers: (problem.offers ?? []).map((offer) => offer.plan_id) };
}

function Unlock({ feature, offers, accountUrl }: { feature: string; offers: readonly string[]; accountUrl: string }) {
  const t = useT();
  const { locale } = useBilling();
  const catalogue = usePlans();
  const offered = useQuotes();
  // What choosing meant is kept: once it is paid, the plan is the buyer's own, and the dialog must not turn into another.
  const [chosen, setChosen] = useState<{ plan: Plan; buys: boolean } | null>(null);
  // A buyer who signs in by buying is not waited for: the dialog stays.
  if (offered.error !== null && !offered.quotes && !chosen) return <ErrorNotice error={offered.error} onRetry={offered.refetch} />;
  if (!catalogue.data || (!offered.quotes && !chosen)) return <Skeleton width="14rem" height="2.75rem" />;
  const { plans } = catalogue.data;
  const price = (plan: Plan) =>
    t(`price.${plan.interval}`, { price: money(plan.price_cents, plan.currency, locale, { exact: false }) });
  const quoteOf = (plan: Plan) => offered.quotes?.get(plan.plan_id);
  const label = (plan: Plan, first: boolean) => {
    if (!first) return t("locked.once", { plan: plan.name, price: price(plan) });
    const [rail] = quoteOf(plan)?.move === "buy" ? (quoteOf(plan)?.rails ?? []) : [];
    return rail?.due_now_cents === 0
      ? t("locked.try", { plan: plan.name, count: rail.trial_days })
      : t("locked.unlock", { plan: plan.name, price: price(plan) });
  };
  return (
    <>
      {smallest(feature, offers, plans).map((plan, place) => (
        <Button
          key={plan.plan_id}
          variant={place === 0 ? "primary" : "secondary"}
          main={place === 0}
          onClick={() => setChosen({ plan, buys: quoteOf(plan)?.move === "buy" })}
        >
          {label(plan, place === 0)}
        </Button>
      ))}
      {chosen?.buys === true && <PurchaseDialog plan={chosen.plan} accountUrl={accountUrl} onClose={() => setChosen(null)} />}
      {chosen?.buys === false && <ChangePlanDialog planId={chosen.plan.plan_id} onClose={() => setChosen(null)} />}
    </>
  );
}

function isFree(feature: string, plans: readonly Plan[]): boolean {
  return plans.some((plan) => plan.price_cents === 0 && grants(plan.features[feature]));
}

/**
 * The cheapest recurring and the cheapest one-time plan, which have no price in common, of those that the service
 * offers; of all that have the feature, when it named none.
 */
function smallest(feature: string, offers: readonly string[], plans: readonly Plan[]): Plan[] {
  const fitting = plans
    .filter((plan) =>
      offers.length > 0 ? offers.includes(plan.plan_id) : plan.price_cents > 0 && grants(plan.features[feature]),
    )
    .sort((a, b) => a.price_cents - b.price_cents);
  const first = (once: boolean) => fitting.find((plan) => (plan.interval === "once") === once);
  return [first(false), first(true)].filter((plan) => plan !== undefined);
}
