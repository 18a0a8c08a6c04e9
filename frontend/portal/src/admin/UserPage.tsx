import type { Schemas } from "@bitsleuth/billing-api-client";
import { Button, classes, ErrorNotice, format, SkeletonLines, useBilling } from "@bitsleuth/billing-react";
import { useState } from "react";
import { AccountActions } from "./AccountActions.js";
import { ExplainForm } from "./ExplainForm.js";
import { useRevokeGrant, useUser } from "./queries.js";
import { RefundDialog } from "./RefundDialog.js";
import { useAdminText } from "./text.js";

type User = Schemas["UserDetail"];

/** Everything about one user: what they have and why, what they paid, what happened. */
export function UserPage({ userId }: { userId: string }) {
  const t = useAdminText();
  const user = useUser(userId);
  return (
    <div className="bsb-stack bsb:gap-6">
      <div className="bsb-stack bsb:gap-1">
        <p className="bsb-small">
          <a href="/console/users">{t("users")}</a>
        </p>
        <h1 className="bsb-h2 bsb-mono bsb:text-lg!">{userId}</h1>
      </div>
      <AccountActions userId={userId} known={user.data !== undefined} />
      {user.isError && <ErrorNotice error={user.error} onRetry={() => void user.refetch()} />}
      {user.isPending && (
        <div className="bsb-card">
          <SkeletonLines lines={8} />
        </div>
      )}
      {user.data && (
        <>
          <Entitlements user={user.data} />
          <ExplainForm userId={userId} features={user.data.entitlements.map((e) => e.feature)} />
          <Payments user={user.data} />
          <Grants user={user.data} />
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

function Entitlements({ user }: { user: User }) {
  const t = useAdminText();
  const { locale } = useBilling();
  return (
    <section className="bsb-card bsb-stack" aria-labelledby="has">
      <div className="bsb-row bsb-between">
        <h2 className="bsb-h2" id="has">
          {user.status.plan_name}
        </h2>
        {user.status.subscriptions.map((s) => (
          <span key={s.subscription_id} className={classes("bsb-badge", s.status === "active" && "bsb-badge-good")}>
            {s.provider} · {s.status}
          </span>
        ))}
      </div>
      <ul className="bsb-stack bsb:gap-2">
        {user.entitlements.map((entitlement) => (
          <li key={entitlement.feature} className="bsb-row bsb-between bsb-small">
            <span className="bsb-mono">{entitlement.feature}</span>
            <span className="bsb-2">
              {entitlement.sources.map((s) => `${s.plan_id ?? s.kind}: ${s.reason}`).join(", ")}
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
  const [refunding, setRefunding] = useState<User["payments"][number] | null>(null);
  if (user.payments.length === 0) return null;
  return (
    <section className="bsb-stack" aria-labelledby="payments">
      <h2 className="bsb-h2" id="payments">
        {t("payments")}
      </h2>
      <ul className="bsb-card bsb-card-flush">
        {user.payments.map((payment) => (
          <li key={payment.payment_id} className="admin-line bsb-row bsb-between">
            <div className="bsb:min-w-0">
              <p className="bsb-number">{format.money(payment.amount_cents, payment.currency, locale)}</p>
              <p className="bsb-2 bsb-tiny">
                {format.dateTime(payment.paid_at, locale)} · {payment.provider} · <span className="bsb-mono">{payment.payment_id}</span>
              </p>
            </div>
            <div className="bsb-row">
              <span className="bsb-badge">{payment.status.replaceAll("_", " ")}</span>
              {payment.refunded_cents < payment.amount_cents && (
                <Button size="small" onClick={() => setRefunding(payment)}>
                  {t("refund")}
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
  const revoke = useRevokeGrant(user.user_id);
  if (user.grants.length === 0) return null;
  return (
    <section className="bsb-stack" aria-labelledby="grants">
      <h2 className="bsb-h2" id="grants">
        {t("grants")}
      </h2>
      {revoke.isError && <ErrorNotice error={revoke.error} />}
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
              <Button size="small" variant="danger" busy={revoke.isPending} onClick={() => revoke.mutate(grant.grant_id)}>
                {t("grant.revoke")}
              </Button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

export function Timeline({ entries }: { entries: User["timeline"] }) {
  const t = useAdminText();
  const { locale } = useBilling();
  if (entries.length === 0) return <p className="bsb-2">{t("nothing")}</p>;
  return (
    <ol className="admin-timeline">
      {entries.map((entry, i) => (
        <li key={`${entry.at}/${i}`}>
          <p className="bsb-small">
            {entry.title}
            {entry.amount_cents !== null && entry.amount_cents !== undefined && entry.currency && (
              <span className="bsb-number"> · {format.money(entry.amount_cents, entry.currency, locale)}</span>
            )}
          </p>
          <p className="bsb-2 bsb-tiny">
            {[format.dateTime(entry.at, locale), entry.actor, entry.reason, entry.event_id].filter(Boolean).join(" · ")}
          </p>
        </li>
      ))}
    </ol>
  );
}
