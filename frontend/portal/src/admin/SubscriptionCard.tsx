import type { Schemas } from "@bitsleuth/billing-api-client";
import { Button, ErrorNotice, format, Icon, Notice, useBilling, useProviders } from "@bitsleuth/billing-react";
import { useState, type ReactNode } from "react";
import { CancelDialog, ResumeDialog } from "./ActDialogs.js";
import { ChangePlanDialog } from "./ChangePlanDialog.js";
import { useMay } from "./may.js";
import { Id, StatusBadge, useReason } from "./parts.js";
import { useRereadSubscription } from "./queries.js";
import { useAdminText } from "./text.js";

export type Subscription = Schemas["SubscriptionView"];
type Facts = Schemas["SubscriptionFacts"];
const ONE = "/admin/users/{user_id}/subscriptions/{subscription_id}";

interface SubscriptionCardProps {
  userId: string;
  subscription: Subscription;
  facts: Facts | undefined;
}

/** What one subscription is, where it stands, and what can be done to it by hand. */
export function SubscriptionCard({ userId, subscription, facts }: SubscriptionCardProps) {
  const t = useAdminText();
  const may = useMay();
  const reread = useRereadSubscription(userId);
  const [open, setOpen] = useState<"cancel" | "resume" | "change" | null>(null);
  const acts = facts?.acts ?? [];
  const close = () => setOpen(null);
  const common = { userId, subscription, onClose: close };
  return (
    <section className="bsb-card bsb-stack" aria-label={`${t("record.subscription")} ${subscription.subscription_id}`}>
      <div className="bsb-row bsb-between">
        <h3 className="bsb-h3">
          {subscription.plan_name} <span className="bsb-2 bsb-mono bsb-tiny">{subscription.plan_id}</span>
        </h3>
        <StatusBadge of="status" status={subscription.status} about={subscription.provider} />
      </div>
      <p>
        <NextStep subscription={subscription} />
      </p>
      <FactList subscription={subscription} facts={facts} />
      {reread.isError && <ErrorNotice error={reread.error} />}
      {reread.data && (
        <Notice tone="good" live>
          {t(reread.data.outcome === "unchanged" ? "sub.reread.same" : "sub.reread.done")}
        </Notice>
      )}
      <div className="bsb-row">
        {acts.includes("change") && may(`POST ${ONE}/change`) && (
          <Button size="small" onClick={() => setOpen("change")}>
            {t("sub.change")}
          </Button>
        )}
        {acts.includes("resume") && may(`POST ${ONE}/resume`) && (
          <Button size="small" onClick={() => setOpen("resume")}>
            {t("sub.resume")}
          </Button>
        )}
        {acts.includes("cancel_now") && may(`POST ${ONE}/cancel`) && (
          <Button size="small" onClick={() => setOpen("cancel")}>
            {t("sub.cancel")}
          </Button>
        )}
        {may(`POST ${ONE}/reread`) && (
          <Button size="small" variant="ghost" busy={reread.isPending} onClick={() => reread.mutate(subscription.subscription_id)}>
            {t("invoices.reread")}
          </Button>
        )}
      </div>
      {open === "cancel" && <CancelDialog {...common} atEnd={acts.includes("cancel_at_end")} />}
      {open === "resume" && <ResumeDialog {...common} />}
      {open === "change" && <ChangePlanDialog {...common} />}
    </section>
  );
}

/** What happens next, when, and what is charged then. */
export function NextStep({ subscription }: { subscription: Subscription }) {
  const t = useAdminText();
  const { locale } = useBilling();
  const { next, cancel_at } = subscription;
  const values = {
    date: next.at ? format.date(next.at, locale) : "",
    amount: next.amount_cents === null ? "" : format.money(next.amount_cents, next.currency, locale),
    plan: next.plan_name,
  };
  if (next.kind === "none") return t("next.none", { date: cancel_at ? format.date(cancel_at, locale) : "" });
  return t(`next.${next.kind}`, values);
}

function FactList({ subscription, facts }: Pick<SubscriptionCardProps, "subscription" | "facts">) {
  const t = useAdminText();
  const { locale } = useBilling();
  const inWords = useReason();
  const { titleOf } = useProviders();
  const date = (time: string) => format.date(time, locale);
  const rows: [string, ReactNode][] = [
    [t("sub.price"), `${format.money(subscription.price_cents, subscription.currency, locale)}${facts && facts.quantity > 1 ? ` × ${facts.quantity}` : ""}`],
  ];
  if (facts) rows.push([t("sub.period"), format.period(facts.period_start, subscription.current_period_end, locale)], [t("sub.since"), date(facts.created_at)]);
  if (subscription.trial_end) rows.push([t("sub.trial"), date(subscription.trial_end)]);
  if (subscription.cancel_at) rows.push([t("sub.ends"), date(subscription.cancel_at)]);
  if (facts?.canceled_at) rows.push([t("sub.canceled_at"), date(facts.canceled_at)]);
  if (facts?.cancel_reason) rows.push([t("sub.reason"), inWords(facts.cancel_reason)]);
  if (facts?.collection_paused) rows.push([t("sub.collection"), t("sub.collection.paused")]);
  const id = (value: string, url: string | null | undefined, what: string) => (
    <span className="bsb-row bsb:gap-2">
      <Id value={value} what={what} />
      {url && (
        <a className="bsb-row bsb-small bsb:gap-1 bsb:flex-nowrap bsb:whitespace-nowrap" href={url} target="_blank" rel="noreferrer">
          {t("sub.at", { provider: titleOf(subscription.provider) })}
          <span className="bsb-hidden"> {what}</span> <Icon name="external" size={12} />
        </a>
      )}
    </span>
  );
  rows.push([t("record.subscription"), id(subscription.subscription_id, facts?.url, t("record.subscription"))]);
  if (facts?.customer_id) rows.push([t("sub.customer"), id(facts.customer_id, facts.customer_url, t("sub.customer"))]);
  return (
    <dl className="admin-facts bsb-small">
      {rows.map(([label, value]) => (
        <div key={label}>
          <dt className="bsb-2">{label}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
