import type { Schemas } from "@bitsleuth/billing-api-client";
import { Button, ErrorNotice, format, SkeletonCard, useBilling } from "@bitsleuth/billing-react";
import { useState } from "react";
import { useTitle } from "../title.js";
import { AcceptDialog } from "./AcceptDialog.js";
import { AccountActions } from "./AccountActions.js";
import { AskDialog } from "./AskDialog.js";
import { ExplainForm } from "./ExplainForm.js";
import { useMay } from "./may.js";
import { Notes } from "./Notes.js";
import { Id, StatusBadge, useAmounts, useReason } from "./parts.js";
import { useRevokeGrant, useUser, type Invoice } from "./queries.js";
import { RefundDialog } from "./RefundDialog.js";
import { SubscriptionCard } from "./SubscriptionCard.js";
import { useAdminText } from "./text.js";
import { Timeline } from "./Timeline.js";

type User = Schemas["UserDetail"];

/** Everything about one user: what they have and why, what they paid, what happened. */
export function UserPage({ userId }: { userId: string }) {
  const t = useAdminText();
  const user = useUser(userId);
  useTitle(userId);
  return (
    <div className="bsb-stack bsb:gap-6">
      <div className="bsb-stack bsb:gap-1">
        <p className="bsb-small">
          <a href="/console/users">{t("users")}</a>
        </p>
        <h1 className="bsb-h2 bsb:text-lg!">
          <Id value={userId} what={t("user_id")} />
        </h1>
      </div>
      <AccountActions userId={userId} stored={user.data !== undefined} planId={planOf(user.data)} subscriptions={user.data?.status.subscriptions ?? []} />
      {user.isError && <ErrorNotice error={user.error} onRetry={() => void user.refetch()} />}
      {user.isPending && (
        <>
          <SkeletonCard heading lines={4} />
          <SkeletonCard heading lines={2} />
        </>
      )}
      {user.data && (
        <>
          <Undecided invoices={user.data.undecided} />
          <Entitlements user={user.data} />
          <ExplainForm userId={userId} features={user.data.entitlements.map((e) => e.feature)} />
          <Subscriptions user={user.data} />
          <Payments user={user.data} />
          <Grants user={user.data} />
          <Notes userId={userId} notes={user.data.notes} />
          <section className="bsb-stack" aria-labelledby="timeline">
            <h2 className="bsb-h2" id="timeline">
              {t("timeline")}
            </h2>
            <Timeline entries={user.data.timeline} />
          </section>
        </>
      )}
    </div>
  );
}

/** The plan that days are added to; null: they have none that is paid for. */
function planOf(user: User | undefined): string | null {
  const live = user?.status.subscriptions.find(({ open }) => open) ?? user?.status.terms.find(({ open }) => open);
  return live?.plan_id ?? null;
}

/** Money that came and bought nothing: somebody has to decide. */
function Undecided({ invoices }: { invoices: readonly Invoice[] }) {
  const t = useAdminText();
  const { locale } = useBilling();
  const may = useMay();
  const [open, setOpen] = useState<{ act: "accept" | "refund"; invoice: Invoice } | null>(null);
  const close = () => setOpen(null);
  if (invoices.length === 0 && !open) return null;
  const amount = (invoice: Invoice, cents: number) => format.money(cents, invoice.currency, locale);
  return (
    <section className="bsb-stack" aria-labelledby="undecided">
      <h2 className="bsb-h2" id="undecided">
        {t("undecided")}
      </h2>
      <ul className="bsb-card bsb-card-flush">
        {invoices.map((invoice) => (
          <li key={`${invoice.provider}/${invoice.purchase_id}`} className="admin-line bsb-row bsb-between">
            <div className="bsb:min-w-0">
              <p>{t("invoices.of", { received: amount(invoice, invoice.received_cents), price: amount(invoice, invoice.amount_cents) })}</p>
              <p className="bsb-2 bsb-tiny">
                {invoice.plan_id} · {invoice.provider} · <span className="bsb-mono">{invoice.purchase_id}</span>
              </p>
              {invoice.vanished_cents > 0 && (
                <p className="bsb-2 bsb-tiny">{t("invoices.vanished", { amount: amount(invoice, invoice.vanished_cents) })}</p>
              )}
            </div>
            <div className="bsb-row">
              <StatusBadge of="payment" status={invoice.status} />
              {may("POST /admin/invoices/{provider}/{purchase_id}/accept") && (
                <Button size="small" variant="primary" onClick={() => setOpen({ act: "accept", invoice })}>
                  {t(invoice.undecided_cents > 0 ? "invoices.accept" : "invoices.note")}
                </Button>
              )}
              {invoice.undecided_cents > 0 && may("POST /admin/users/{user_id}/refunds") && (
                <Button size="small" onClick={() => setOpen({ act: "refund", invoice })}>
                  {t("refund")}
                </Button>
              )}
            </div>
          </li>
        ))}
      </ul>
      {open?.act === "accept" && <AcceptDialog invoice={open.invoice} onClose={close} />}
      {open?.act === "refund" && <RefundDialog userId={open.invoice.user_id} payment={waiting(open.invoice)} undecided onClose={close} />}
    </section>
  );
}

/** An invoice as the payment that waits: what bought nothing is what can go back. */
export function waiting({ provider, purchase_id, undecided_cents, refunded_cents, currency }: Invoice) {
  return { provider, payment_id: purchase_id, amount_cents: undecided_cents + refunded_cents, refunded_cents, currency };
}

function Subscriptions({ user }: { user: User }) {
  const t = useAdminText();
  if (user.status.subscriptions.length === 0) return null;
  return (
    <section className="bsb-stack" aria-labelledby="subscriptions">
      <h2 className="bsb-h2" id="subscriptions">
        {t("subscriptions")}
      </h2>
      {user.status.subscriptions.map((subscription) => (
        <SubscriptionCard
          key={subscription.subscription_id}
          userId={user.user_id}
          subscription={subscription}
          facts={user.facts.find(({ subscription_id }) => subscription_id === subscription.subscription_id)}
        />
      ))}
    </section>
  );
}

/** All that came and what went back, by currency. */
function Money({ money }: { money: User["money"] }) {
  const t = useAdminText();
  const { locale } = useBilling();
  return (
    <>
      {money.map((sum) => {
        const amount = (cents: number) => format.money(cents, sum.currency, locale);
        const figures = [
          ["money.paid", sum.paid_cents],
          ["money.returned", sum.returned_cents],
          ...(sum.disputed_cents ? ([["money.disputed", sum.disputed_cents]] as const) : []),
          ["money.kept", sum.kept_cents],
        ] as const;
        return (
          <dl key={sum.currency} className="bsb-card admin-figures" aria-label={sum.currency}>
            {figures.map(([name, cents]) => (
              <div key={name}>
                <dt className="bsb-2 bsb-small">{t(name)}</dt>
                <dd className="bsb-h3 bsb-number">{amount(cents)}</dd>
              </div>
            ))}
          </dl>
        );
      })}
    </>
  );
}

function Entitlements({ user }: { user: User }) {
  const t = useAdminText();
  const { locale } = useBilling();
  const amounts = useAmounts();
  const inWords = useReason();
  const amount = ({ value, also, remaining }: User["entitlements"][number]) => {
    const left = typeof remaining === "number" ? t("has.left", { left: format.number(remaining, locale) }) : "";
    return [amounts(value, also), left].filter(Boolean).join(", ");
  };
  return (
    <section className="bsb-card bsb-stack" aria-labelledby="has">
      <div className="bsb-row bsb-between">
        <h2 className="bsb-h2" id="has">
          {user.status.plan_name}
        </h2>
        {user.status.subscriptions.map((s) => (
          <StatusBadge key={s.subscription_id} of="status" status={s.status} about={s.provider} />
        ))}
      </div>
      <ul className="bsb-stack bsb:gap-2">
        {user.entitlements.map((entitlement) => (
          <li key={entitlement.feature} className="bsb-row bsb-between bsb:gap-y-0 bsb-small">
            <span>
              <span className="bsb-mono">{entitlement.feature}</span> <span className="bsb-number">{amount(entitlement)}</span>
            </span>
            <span className="bsb-2">
              {entitlement.sources.map((s) => `${s.plan_id ?? s.kind}: ${inWords(s.reason)}`).join(", ")}
              {entitlement.expires_at && ` · ${t("until", { date: format.date(entitlement.expires_at, locale) })}`}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Payments({ user }: { user: User }) {
  const t = useAdminText();
  const { locale } = useBilling();
  const may = useMay();
  const [refunding, setRefunding] = useState<User["payments"][number] | null>(null);
  if (user.payments.length === 0) return null;
  return (
    <section className="bsb-stack" aria-labelledby="payments">
      <h2 className="bsb-h2" id="payments">
        {t("payments")}
      </h2>
      <Money money={user.money} />
      <ul className="bsb-card bsb-card-flush">
        {user.payments.map((payment) => (
          <li key={payment.payment_id} className="admin-line bsb-row bsb-between">
            <div className="bsb:min-w-0">
              <p className="bsb-number">{format.money(payment.amount_cents, payment.currency, locale)}</p>
              <p className="bsb-2 bsb-tiny">
                {format.dateTime(payment.paid_at, locale)} · {payment.provider} ·{" "}
                {payment.url ? (
                  <a className="bsb-mono" href={payment.url} target="_blank" rel="noreferrer">
                    {payment.payment_id}
                  </a>
                ) : (
                  <span className="bsb-mono">{payment.payment_id}</span>
                )}
              </p>
            </div>
            <div className="bsb-row">
              <StatusBadge of="payment" status={payment.status} />
              {payment.refunded_cents < payment.amount_cents && may("POST /admin/users/{user_id}/refunds") && (
                <Button size="small" onClick={() => setRefunding(payment)}>
                  {t("refund")}
                  <span className="bsb-hidden"> {payment.payment_id}</span>
                </Button>
              )}
            </div>
          </li>
        ))}
      </ul>
      {refunding && <RefundDialog userId={user.user_id} payment={refunding} onClose={() => setRefunding(null)} />}
    </section>
  );
}

function Grants({ user }: { user: User }) {
  const t = useAdminText();
  const { locale } = useBilling();
  const may = useMay();
  const [revoking, setRevoking] = useState<User["grants"][number] | null>(null);
  if (user.grants.length === 0) return null;
  return (
    <section className="bsb-stack" aria-labelledby="grants">
      <h2 className="bsb-h2" id="grants">
        {t("grants")}
      </h2>
      <ul className="bsb-card bsb-card-flush">
        {user.grants.map((grant) => (
          <li key={grant.grant_id} className="admin-line bsb-row bsb-between">
            <div>
              <p className="bsb-mono">{Object.keys(grant.features).join(", ")}</p>
              <p className="bsb-2 bsb-tiny">
                {grant.reason} · {grant.granted_by} · {format.date(grant.granted_at, locale)}
                {grant.expires_at && ` · ${t("until", { date: format.date(grant.expires_at, locale) })}`}
              </p>
            </div>
            {grant.revoked_at ? (
              <span className="bsb-badge">{t("grant.revoked")}</span>
            ) : (
              may("POST /admin/users/{user_id}/grants/{grant_id}/revoke") && (
                <Button size="small" variant="danger" onClick={() => setRevoking(grant)}>
                  {t("grant.revoke")}
                </Button>
              )
            )}
          </li>
        ))}
      </ul>
      {revoking && <RevokeDialog userId={user.user_id} grant={revoking} onClose={() => setRevoking(null)} />}
    </section>
  );
}

function RevokeDialog({ userId, grant, onClose }: { userId: string; grant: User["grants"][number]; onClose: () => void }) {
  const t = useAdminText();
  const revoke = useRevokeGrant(userId);
  const onAct = () => revoke.mutate(grant.grant_id, { onSuccess: onClose });
  return (
    <AskDialog title={t("grant.revoke.title")} about={t("grant.revoke.about")} act={t("grant.revoke")} acting={revoke} onAct={onAct} onClose={onClose}>
      <p className="bsb-mono">{Object.keys(grant.features).join(", ")}</p>
    </AskDialog>
  );
}
