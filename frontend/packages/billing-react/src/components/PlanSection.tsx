"use client";

import type { Schemas } from "@bitsleuth/billing-api-client";
import { useState, type ReactNode } from "react";
import { date, daysUntil, money } from "../format.js";
import type { MessageKey } from "../i18n.js";
import { liveSubscriptions } from "../offers.js";
import { useBilling } from "../provider.js";
import { useProviderPortal, useResume, type Status } from "../queries.js";
import { usePlanName, useT } from "../text.js";
import { Button, ButtonLink } from "../ui/Button.js";
import { classes } from "../ui/classes.js";
import { Icon } from "../ui/Icon.js";
import { ErrorNotice, Notice } from "../ui/Notice.js";
import { CancelDialog, ChangePlanDialog } from "./dialogs.js";
import { RenewButton } from "./Prepaid.js";
import { Said } from "./Said.js";

type Subscription = Schemas["SubscriptionView"];

/** The plan in force, its status in words, what comes next, and what one can do about it: all as the service says. */
export function PlanSection({ status, pricingUrl }: { status: Status; pricingUrl: string }) {
  const live = liveSubscriptions(status);
  const [said, setSaid] = useState<string | null>(null);
  return (
    <>
      {said && <Said text={said} />}
      {live.map((subscription) => (
        <PaymentProblem key={subscription.subscription_id} subscription={subscription} />
      ))}
      {live.map((subscription) => (
        <section key={subscription.subscription_id} className="bsb-card bsb-stack bsb:gap-5" aria-labelledby={`bsb-plan-${subscription.subscription_id}`}>
          <LivePlan subscription={subscription} now={status.server_time} onDone={setSaid} />
        </section>
      ))}
      {live.length === 0 && (
        <section className="bsb-card bsb-stack bsb:gap-5" aria-labelledby="bsb-plan-free">
          <OtherPlan status={status} pricingUrl={pricingUrl} />
        </section>
      )}
    </>
  );
}

function Heading({ id, name, badge, about }: { id: string; name: string; badge?: ReactNode; about: ReactNode }) {
  const t = useT();
  return (
    <div className="bsb-stack bsb:gap-1">
      <p className="bsb-2 bsb-small" id={`bsb-plan-${id}`}>
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

interface LivePlanProps {
  subscription: Subscription;
  now: string;
  onDone: (said: string) => void;
}

function LivePlan({ subscription, now, onDone }: LivePlanProps) {
  const t = useT();
  const { locale } = useBilling();
  const named = usePlanName();
  const portal = useProviderPortal();
  const resume = useResume();
  const [dialog, setDialog] = useState<"change" | "cancel" | null>(null);
  const can = (action: Subscription["actions"][number]) => subscription.actions.includes(action);
  const plan = named(subscription);
  const price = money(subscription.price_cents, subscription.currency, locale, { exact: false });
  const takeBack = () => resume.mutate(subscription.subscription_id, { onSuccess: () => onDone(t("plan.kept", { plan })) });
  return (
    <>
      <div className="bsb-row bsb-between bsb:items-start">
        <Heading
          id={subscription.subscription_id}
          name={subscription.plan_name}
          badge={<StatusBadge subscription={subscription} />}
          about={<Sentences subscription={subscription} now={now} />}
        />
        <p className="bsb:text-xl bsb:font-semibold bsb-number">
          {t(`price.${subscription.interval}`, { price })}
        </p>
      </div>
      {(resume.isError || portal.isError) && <ErrorNotice error={resume.error ?? portal.error} />}
      <div className="bsb-row">
        {(can("resume") || can("keep")) && (
          <Button variant="primary" busy={resume.isPending} onClick={takeBack}>
            {t(can("keep") ? "plan.keep" : subscription.status === "paused" ? "plan.unpause" : "plan.resume", { plan })}
          </Button>
        )}
        {can("change") && (
          <Button variant="primary" onClick={() => setDialog("change")}>
            {t("plan.change")}
          </Button>
        )}
        {can("payment_method") && (
          <Button busy={portal.isPending} onClick={() => portal.mutate()}>
            {t("plan.payment_method")}
            <Icon name="external" size={16} />
          </Button>
        )}
        {can("cancel") && (
          <Button variant="ghost" onClick={() => setDialog("cancel")}>
            {t("plan.cancel")}
          </Button>
        )}
      </div>
      {can("payment_method") && <p className="bsb-2 bsb-tiny">{t("plan.payment_method.about")}</p>}
      {dialog === "change" && <ChangePlanDialog subscriptionId={subscription.subscription_id} onClose={() => setDialog(null)} onDone={onDone} />}
      {dialog === "cancel" && (
        <CancelDialog
          subscription={subscription}
          onClose={() => setDialog(null)}
          onDone={onDone}
          {...(can("change") ? { onSwitch: () => setDialog("change") } : {})}
        />
      )}
    </>
  );
}

function StatusBadge({ subscription }: { subscription: Subscription }) {
  const t = useT();
  if (subscription.next.kind === "ends") return <span className="bsb-badge bsb-badge-warn">{t("status.ending")}</span>;
  if (subscription.end_reason === "disputed") return <span className="bsb-badge bsb-badge-bad">{t("payment.disputed")}</span>;
  // Its status at the provider is older than its end.
  if (subscription.end_reason === "canceled") return <span className="bsb-badge">{t("status.canceled")}</span>;
  if (subscription.end_reason === "unconfirmed") return <span className="bsb-badge bsb-badge-warn">{t("payment.pending")}</span>;
  const tone = { active: "good", trialing: "good", past_due: "warn", unpaid: "bad" }[subscription.status];
  return <span className={classes("bsb-badge", tone && `bsb-badge-${tone}`)}>{t(`status.${subscription.status}` as MessageKey)}</span>;
}

/** What happens next, and since when it is closed if it is. */
function Sentences({ subscription, now }: { subscription: Subscription; now: string }) {
  const t = useT();
  const { locale } = useBilling();
  const named = usePlanName();
  const { next } = subscription;
  const values = {
    date: next.at ? date(next.at, locale) : "",
    price: next.amount_cents === null ? "" : money(next.amount_cents, next.currency, locale),
    plan: named(next),
    count: next.at ? daysUntil(next.at, Date.parse(now)) : 0,
  };
  const sentences = [t(`next.${next.kind}`, values)];
  if (next.kind !== "ends" && subscription.cancel_at) {
    sentences.push(t("next.then_ends", { date: date(subscription.cancel_at, locale) }));
  }
  if (subscription.ended_at && subscription.end_reason) {
    sentences.unshift(t(`closed.${subscription.end_reason}`, { date: date(subscription.ended_at, locale) }));
  }
  return sentences.join(" ");
}

/** A failed payment and the way out of it. */
function PaymentProblem({ subscription }: { subscription: Subscription }) {
  const t = useT();
  const { locale } = useBilling();
  const portal = useProviderPortal();
  const problem = subscription.payment_problem;
  if (!problem || !subscription.actions.includes("fix_payment")) return null;
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
      {problem.access_until
        ? t("problem.access_until", { date: date(problem.access_until, locale) })
        : t("problem.access_over")}
      {portal.isError && <ErrorNotice error={portal.error} />}
    </Notice>
  );
}

/** No live subscription: the free plan, time that is paid ahead, or something that has ended. */
function OtherPlan({ status, pricingUrl }: { status: Status; pricingUrl: string }) {
  const t = useT();
  const { locale } = useBilling();
  const named = usePlanName();
  const { ended } = status;
  const about = status.access_until
    ? t("next.term_ends", { date: date(status.access_until, locale) })
    : ended
      ? t(`ended.${ended.reason}`, { plan: named(ended), date: date(ended.ended_at, locale) })
      : t("next.free");
  const plans = status.access_until !== null ? "plan.upgrade" : ended ? "plan.resubscribe" : "plan.upgrade";
  return (
    <>
      <Heading id="free" name={status.plan_name} about={about} />
      <div className="bsb-row">
        <RenewButton of={ended?.renewable != null ? { group: ended.renewable, plan: named(ended) } : null} label={t("plan.renew")} />
        {/* What is paid ahead is renewed in its own section. */}
        <ButtonLink href={pricingUrl} variant={status.access_until !== null || ended?.renewable != null ? "secondary" : "primary"}>
          {t(ended?.renewable != null ? "plan.upgrade" : plans)}
        </ButtonLink>
      </div>
    </>
  );
}
