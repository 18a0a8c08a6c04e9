"use client";

import type { Schemas } from "@bitsleuth/billing-api-client";
import { useState, type ReactNode } from "react";
import { date, daysUntil, money } from "../format.js";
import type { MessageKey } from "../i18n.js";
import { liveSubscription } from "../offers.js";
import { useBilling } from "../provider.js";
import { useProviderPortal, useResume, usePlans, type Status } from "../queries.js";
import { useT } from "../text.js";
import { Button, ButtonLink } from "../ui/Button.js";
import { classes } from "../ui/classes.js";
import { Icon } from "../ui/Icon.js";
import { ErrorNotice, Notice } from "../ui/Notice.js";
import { CancelDialog } from "./CancelDialog.js";
import { ChangePlanDialog } from "./ChangePlanDialog.js";

type Subscription = Schemas["SubscriptionView"];

/** The plan in force, its status in words, what comes next, and what one can do about it. */
export function PlanSection({ status, pricingUrl }: { status: Status; pricingUrl: string }) {
  const t = useT();
  const subscription = liveSubscription(status);
  return (
    <>
      {subscription && <PaymentProblem subscription={subscription} />}
      {status.checkout && (
        <Notice
          action={
            <ButtonLink href={status.checkout.url} size="small">
              {t("plan.finish_checkout")}
            </ButtonLink>
          }
        >
          {t("plan.open_checkout")}
        </Notice>
      )}
      <section className="bsb-card bsb-stack bsb:gap-5" aria-labelledby="bsb-plan">
        {subscription ? (
          <LivePlan subscription={subscription} />
        ) : (
          <OtherPlan status={status} pricingUrl={pricingUrl} />
        )}
      </section>
    </>
  );
}

function Heading({ name, badge, about }: { name: string; badge?: ReactNode; about: ReactNode }) {
  const t = useT();
  return (
    <div className="bsb-stack bsb:gap-1">
      <p className="bsb-2 bsb-small" id="bsb-plan">
        {t("plan.title")}
      </p>
      <div className="bsb-row">
        <h2 className="bsb:text-2xl bsb:tracking-tight">{name}</h2>
        {badge}
      </div>
      <p className="bsb-2">{about}</p>
    </div>
  );
}

function LivePlan({ subscription }: { subscription: Subscription }) {
  const t = useT();
  const { locale } = useBilling();
  const portal = useProviderPortal();
  const resume = useResume();
  const [dialog, setDialog] = useState<"change" | "cancel" | null>(null);
  const ending = subscription.cancel_at !== null;
  // A newer version of the same plan is the seller's doing: there is nothing to take back.
  const scheduled = ![null, subscription.plan_id].includes(subscription.scheduled_plan_id);
  const price = money(subscription.price_cents, subscription.currency, locale, { exact: false });
  return (
    <>
      <div className="bsb-row bsb-between bsb:items-start">
        <Heading name={subscription.plan_name} badge={<StatusBadge subscription={subscription} />} about={<Next subscription={subscription} />} />
        <p className="bsb:text-xl bsb:font-semibold bsb-number">
          {t(`price.${subscription.interval}` as MessageKey, { price })}
        </p>
      </div>
      {(resume.isError || portal.isError) && <ErrorNotice error={resume.error ?? portal.error} />}
      <div className="bsb-row">
        {ending || scheduled ? (
          <Button variant="primary" busy={resume.isPending} onClick={() => resume.mutate()}>
            {t(ending ? "plan.resume" : "plan.keep", { plan: subscription.plan_name })}
          </Button>
        ) : (
          <Button variant={subscription.payment_problem ? "secondary" : "primary"} onClick={() => setDialog("change")}>
            {t("plan.change")}
          </Button>
        )}
        <Button busy={portal.isPending} onClick={() => portal.mutate()}>
          {t("plan.payment_method")}
          <Icon name="external" size={16} />
        </Button>
        {!ending && (
          <Button variant="ghost" onClick={() => setDialog("cancel")}>
            {t("plan.cancel")}
          </Button>
        )}
      </div>
      {dialog === "change" && <ChangePlanDialog onClose={() => setDialog(null)} />}
      {dialog === "cancel" && (
        <CancelDialog subscription={subscription} onClose={() => setDialog(null)} onSwitch={() => setDialog("change")} />
      )}
    </>
  );
}

function StatusBadge({ subscription }: { subscription: Subscription }) {
  const t = useT();
  if (subscription.cancel_at) return <span className="bsb-badge bsb-badge-warn">{t("status.ending")}</span>;
  const tone = { active: "good", trialing: "good", past_due: "warn", unpaid: "bad" }[subscription.status];
  return <span className={classes("bsb-badge", tone && `bsb-badge-${tone}`)}>{t(`status.${subscription.status}` as MessageKey)}</span>;
}

/** What happens next, in one sentence. */
function Next({ subscription }: { subscription: Subscription }) {
  const t = useT();
  const { locale } = useBilling();
  const [now] = useState(() => Date.now());
  const plans = usePlans().data?.plans;
  const price = money(subscription.price_cents, subscription.currency, locale);
  if (subscription.cancel_at) return t("next.ends", { date: date(subscription.cancel_at, locale) });
  if (subscription.scheduled_plan_id === subscription.plan_id && subscription.scheduled_price_cents !== null) {
    const then = money(subscription.scheduled_price_cents, subscription.currency, locale);
    return t("next.moves", { price: then, date: date(subscription.current_period_end, locale) });
  }
  if (subscription.scheduled_plan_id) {
    const plan = plans?.find((candidate) => candidate.plan_id === subscription.scheduled_plan_id);
    return t("next.changes", { plan: plan?.name ?? "", date: date(subscription.current_period_end, locale) });
  }
  if (subscription.status === "trialing" && subscription.trial_end) {
    const count = daysUntil(subscription.trial_end, now);
    return t("next.trial", { count, price, date: date(subscription.trial_end, locale) });
  }
  if (subscription.status === "paused") return t("next.paused");
  if (subscription.payment_problem) return t("next.due", { price });
  if (!subscription.next_billing_at) return t("next.nothing");
  return t("next.renews", { price, date: date(subscription.next_billing_at, locale) });
}

/** A failed payment and the way out of it. */
function PaymentProblem({ subscription }: { subscription: Subscription }) {
  const t = useT();
  const { locale } = useBilling();
  const portal = useProviderPortal();
  const problem = subscription.payment_problem;
  if (!problem) return null;
  const sentences = [
    problem.access_until
      ? t("problem.access_until", { date: date(problem.access_until, locale) })
      : t("problem.access_over"),
    problem.next_attempt_at ? t("problem.next_attempt", { date: date(problem.next_attempt_at, locale) }) : "",
  ];
  return (
    <Notice
      tone="bad"
      live
      title={t(problem.action_required ? "problem.action_required" : "problem.failed")}
      action={
        <Button variant="primary" size="small" busy={portal.isPending} onClick={() => portal.mutate()}>
          {t("problem.fix")}
        </Button>
      }
    >
      {sentences.filter(Boolean).join(" ")}
      {portal.isError && <ErrorNotice error={portal.error} />}
    </Notice>
  );
}

/** No live subscription: the free plan, a prepaid term, or something that has ended. */
function OtherPlan({ status, pricingUrl }: { status: Status; pricingUrl: string }) {
  const t = useT();
  const { locale } = useBilling();
  const [now] = useState(() => Date.now());
  const term = status.terms.find(({ ends_at }) => ends_at && Date.parse(ends_at) > now);
  const ended = status.subscriptions[0];
  const renewable = (status.renewals ?? []).length > 0;
  const about = term?.ends_at
    ? t("next.term_ends", { date: date(term.ends_at, locale) })
    : ended
      ? t("next.ended", { plan: ended.plan_name, date: date(ended.current_period_end, locale) })
      : t("next.free");
  return (
    <>
      <Heading name={status.plan_name} about={about} />
      <div className="bsb-row">
        {/* What is paid ahead is renewed in its own section. */}
        <ButtonLink href={pricingUrl} variant={renewable ? "secondary" : "primary"}>
          {t(renewable ? "plan.upgrade" : term ? "plan.renew" : ended ? "plan.resubscribe" : "plan.upgrade")}
        </ButtonLink>
      </div>
    </>
  );
}
