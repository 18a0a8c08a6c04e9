"use client";

import type { Schemas } from "@bitsleuth/billing-api-client";
import { useEffect, useState } from "react";
import { yearlySaving, type Plan } from "../format.js";
import { below, isRecurring, offersOf, planAt, type Interval, type Offer } from "../offers.js";
import { usePlans, useQuotes, useStatus, useTrack, type Quote } from "../queries.js";
import { useT } from "../text.js";
import { Icon, type IconName } from "../ui/Icon.js";
import { ErrorNotice } from "../ui/Notice.js";
import { Skeleton, SkeletonLines } from "../ui/Skeleton.js";
import { ChangePlanDialog } from "./dialogs.js";
import { CompareTable } from "./CompareTable.js";
import { OfferCard } from "./OfferCard.js";
import { OpenCheckout } from "./OpenCheckout.js";
import { PurchaseDialog } from "./PurchaseDialog.js";
import { Said } from "./Said.js";

export interface PricingTableProps {
  /** What the year's plan is preset to; keep it in the URL with `onIntervalChange`. */
  interval?: "month" | "year";
  onIntervalChange?: (interval: "month" | "year") => void;
  /** Where the "manage" button of the current plan leads. */
  accountUrl?: string;
  /** Tier that is pointed out. Default: those that the catalogue recommends. */
  featured?: string;
  comparison?: boolean;
}

/** Every plan on sale with the buyer's own pointed out; buys and changes in dialogs. */
export function PricingTable(props: PricingTableProps) {
  const { accountUrl = "/account/billing", comparison = true } = props;
  const t = useT();
  const catalogue = usePlans();
  const offered = useQuotes();
  const status = useStatus();
  const [own, setOwn] = useState<"month" | "year">("month");
  // What choosing meant is kept: once it is paid, the plan is the buyer's own, and the dialog must not turn into another.
  const [chosen, setChosen] = useState<{ plan: Plan; buys: boolean } | null>(null);
  const [said, setSaid] = useState<string | null>(null);
  const interval = props.interval ?? own;
  const track = useTrack();
  useEffect(() => track({ event: "pricing_viewed" }), [track]);

  if (!catalogue.data) {
    return catalogue.isError ? (
      <div className="bsb bsb:mx-auto bsb:w-full bsb:max-w-xl">
        <ErrorNotice error={catalogue.error} onRetry={() => void catalogue.refetch()} />
      </div>
    ) : (
      <PricingSkeleton />
    );
  }

  const { plans, features } = catalogue.data;
  if (plans.length === 0) return <p className="bsb bsb-2 bsb:text-center">{t("pricing.none")}</p>;
  const offers = offersOf(plans);
  const recurring = offers.filter(isRecurring);
  const once = offers.filter((offer) => !isRecurring(offer));
  // What one has already decides whether choosing buys or changes: on a guess nothing is sold.
  const unsure = offered.error !== null && !offered.quotes;
  const card = (offer: Offer) => {
    const plan = planAt(offer, interval);
    const quote = offered.quotes?.get(plan?.plan_id ?? "") ?? null;
    const points = quote === null || (quote.move === "buy" && !quote.included_in) || quote.move === "upgrade";
    return (
      plan && (
        <OfferCard
          key={offer.key}
          offer={offer}
          plan={plan}
          quote={quote}
          featured={points && (props.featured === undefined ? offer.recommended : offer.key === props.featured)}
          below={isRecurring(offer) ? below(offer, recurring) : undefined}
          features={features}
          accountUrl={accountUrl}
          saving={yearlySaving(offer.plans.month, offer.plans.year)}
          {...(unsure ? {} : { onChoose: () => quote && setChosen({ plan, buys: quote.move === "buy" }) })}
        />
      )
    );
  };
  return (
    <div className="bsb bsb-stack bsb:gap-8">
      {said && <Said text={said} />}
      {status.data && !chosen && <OpenCheckout checkout={status.data.checkout} />}
      <Ways quotes={catalogue.data.quotes} providers={catalogue.data.payment_providers} />
      {recurring.some((offer) => offer.plans.year) && (
        <IntervalChoice
          offers={recurring}
          value={interval}
          onChange={(next) => {
            setOwn(next);
            props.onIntervalChange?.(next);
          }}
        />
      )}
      {unsure && <ErrorNotice error={offered.error} onRetry={offered.refetch} />}
      <div className="bsb-offers">{recurring.map(card)}</div>
      {once.length > 0 && <OneTime>{once.map(card)}</OneTime>}
      {comparison && recurring.length > 1 && (
        <CompareTable offers={recurring} interval={interval} features={features} current={currentOf(offered.quotes)} />
      )}
      {chosen &&
        (chosen.buys ? (
          <PurchaseDialog plan={chosen.plan} accountUrl={accountUrl} onClose={() => setChosen(null)} />
        ) : (
          <ChangePlanDialog planId={chosen.plan.plan_id} onClose={() => setChosen(null)} onDone={setSaid} />
        ))}
    </div>
  );
}

/** The plan one has, when it is one that is paid. */
function currentOf(quotes: ReadonlyMap<string, Quote> | undefined): string | undefined {
  return [...(quotes?.values() ?? [])].find(({ move }) => move === "current")?.plan_id;
}

/** How one can pay, of what this stack is set up for; and what nobody is asked for. */
function Ways({ quotes, providers }: { quotes: readonly Quote[]; providers: Schemas["PlanList"]["payment_providers"] }) {
  const t = useT();
  const rails = quotes.flatMap((quote) => quote.rails);
  const ways = (["card", "bitcoin"] as const).filter((kind) => rails.some(({ rail }) => rail === kind));
  const said: { icon: IconName; text: string }[] = ways.map((kind) => ({ icon: kind, text: t(`rail.${kind}`) }));
  if (rails.some(({ provider }) => providers[provider]?.lightning)) said.push({ icon: "bolt", text: t("invoice.lightning") });
  if (said.length === 0) return null;
  return (
    <ul className="bsb-ways bsb-row bsb-2 bsb-small bsb:justify-center bsb:gap-x-5" aria-label={t("pricing.ways")}>
      {[...said, { icon: "lock" as const, text: t("pricing.no_email") }].map(({ icon, text }) => (
        <li key={icon} className="bsb-row bsb:gap-1.5">
          <Icon name={icon} size={16} />
          {text}
        </li>
      ))}
    </ul>
  );
}

function OneTime({ children }: { children: React.ReactNode }) {
  const t = useT();
  return (
    <section className="bsb-stack bsb-once" aria-label={t("pricing.once")}>
      <h2 className="bsb-h2">{t("pricing.once")}</h2>
      <div className="bsb-offers bsb-offers-few">{children}</div>
    </section>
  );
}

function IntervalChoice(props: { offers: Offer[]; value: "month" | "year"; onChange: (next: "month" | "year") => void }) {
  const t = useT();
  const savings = props.offers.map((offer) => yearlySaving(offer.plans.month, offer.plans.year)).filter((each) => each > 0);
  const most = Math.max(0, ...savings);
  const choices: readonly Extract<Interval, "month" | "year">[] = ["month", "year"];
  return (
    <fieldset className="bsb-segments bsb:self-center">
      <legend className="bsb-hidden">{t("pricing.interval")}</legend>
      {choices.map((choice) => (
        <label key={choice}>
          <input
            type="radio"
            name="bsb-interval"
            checked={props.value === choice}
            onChange={() => props.onChange(choice)}
          />
          {t(`pricing.${choice}ly`)}
          {choice === "year" && most > 0 && (
            <span className="bsb-badge bsb-badge-good">
              {t(savings.every((each) => each === most) ? "pricing.save" : "pricing.save_up_to", { percent: most })}
            </span>
          )}
        </label>
      ))}
    </fieldset>
  );
}

function PricingSkeleton() {
  return (
    <div className="bsb bsb-stack bsb:gap-8" aria-busy="true">
      <span className="bsb-ways bsb-row bsb:self-center">
        <Skeleton width="18rem" height="1.25rem" />
      </span>
      <span className="bsb:self-center">
        <Skeleton width="16rem" height="2.75rem" />
      </span>
      <div className="bsb-offers">
        {[0, 1, 2].map((card) => (
          <div key={card} className="bsb-card bsb-offer bsb:min-h-112">
            <Skeleton width="40%" height="1.5rem" />
            <Skeleton width="60%" height="2.5rem" />
            <Skeleton height="2.5rem" />
            <SkeletonLines lines={6} />
          </div>
        ))}
      </div>
    </div>
  );
}
