import { unwrap, type Schemas } from "@bitsleuth/billing-api-client";
import { Button, classes, csv, download, ErrorNotice, FeatureChanges, format, Icon, Notice, SkeletonCard, useBilling, useQueries } from "@bitsleuth/billing-react";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { versionOf } from "./draft.js";
import { useAllCustomers } from "./queries.js";
import { useAdminText } from "./text.js";

type Effect = Schemas["PlanEffect"];
const PAUSE = 500;

/** Whom the draft touches and what it changes, asked of the service while it is written; of each plan that is sold. */
export function OfferEffect({ offer, before }: { offer: Schemas["SaveOffer"]; before: Schemas["SaveOffer"] | null }) {
  const t = useAdminText();
  const settled = useSettled(offer);
  const was = new Map(before?.prices.map((price) => [price.plan_id, JSON.stringify(versionOf(before, price))]));
  // A plan that stays as it is gets no new version.
  const sold = settled.prices.filter((price) => (price.version ?? 0) > 0 && was.get(price.plan_id) !== JSON.stringify(versionOf(settled, price)));
  if (sold.length === 0) return null;
  return (
    <section className="bsb-card bsb-stack" aria-labelledby="effect">
      <div className="bsb-stack bsb:gap-1">
        <h2 className="bsb-h3" id="effect">
          {t("effect.title")}
        </h2>
        <p className="bsb-2 bsb-small">{t("effect.about")}</p>
      </div>
      {sold.map((price) => (
        <PlanEffect key={price.plan_id} planId={price.plan_id} body={versionOf(settled, price)} siblings={settled.prices.map(({ plan_id }) => plan_id)} />
      ))}
    </section>
  );
}

/** What was typed last, once nothing has been typed for a moment. */
function useSettled<T>(value: T): T {
  const text = JSON.stringify(value);
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), PAUSE);
    return () => clearTimeout(timer);
  }, [text]);
  return JSON.parse(settled) as T;
}

interface PlanEffectProps {
  planId: string;
  body: Schemas["UpdatePlan"];
  /** What is written together with it: it cannot differ. */
  siblings: readonly string[];
}

function PlanEffect({ planId, body, siblings }: PlanEffectProps) {
  const { client, session } = useBilling();
  const effect = useQuery(
    {
      queryKey: ["admin", session.userId, "effect", planId, body],
      queryFn: () => unwrap(client.POST("/admin/plans/{plan_id}/preview", { params: { path: { plan_id: planId } }, body })),
      placeholderData: keepPreviousData,
    },
    useQueries(),
  );
  if (effect.isError) return <ErrorNotice error={effect.error} onRetry={() => void effect.refetch()} />;
  if (!effect.data) return <SkeletonCard lines={4} />;
  const warnings = effect.data.warnings.filter(({ code, plan_id }) => code !== "differs" || !siblings.includes(plan_id ?? ""));
  return <Told effect={{ ...effect.data, warnings }} />;
}

function Told({ effect }: { effect: Effect }) {
  const t = useAdminText();
  const { locale } = useBilling();
  const money = (cents: number, currency = effect.currency) => format.money(cents, currency, locale);
  const was = effect.price_was_cents !== effect.price_cents;
  return (
    <div className="bsb-stack bsb:gap-3" aria-label={effect.plan_id} role="group">
      <h3 className="bsb-small bsb:font-semibold">
        <span className="bsb-mono">{effect.plan_id}</span> · {t("effect.version", { from: effect.from_version, to: effect.to_version })}
      </h3>
      <ul className="admin-points bsb-small">
        <li>{was ? t("effect.price", { before: money(effect.price_was_cents), after: money(effect.price_cents) }) : t("effect.same_price", { price: money(effect.price_cents) })}</li>
        <li>{t("effect.keep", { count: effect.subscribers + effect.subscribers_older })}</li>
      </ul>
      <FeatureChanges changes={effect.changes} title={t("effect.features")} />
      {effect.versions.length > 0 && <Versions effect={effect} />}
      <Warnings effect={effect} />
      {effect.versions.length > 0 && <Touched planId={effect.plan_id} />}
    </div>
  );
}

/** Who has which version, what that brings, and what moving them to this one would change. */
function Versions({ effect }: { effect: Effect }) {
  const t = useAdminText();
  const { locale } = useBilling();
  const signed = (cents: number, currency: string) => (cents > 0 ? "+" : "") + format.money(cents, currency, locale);
  return (
    // Scrolls sideways on small screens, so the keyboard must reach it.
    // eslint-disable-next-line jsx-a11y-x/no-noninteractive-tabindex
    <div className="bsb-scroll" role="group" tabIndex={0} aria-label={t("effect.who")}>
      <table className="bsb-table bsb-small stacked">
        <thead>
          <tr>
            <th scope="col">{t("effect.who")}</th>
            {(["subscribers", "pay", "mrr", "moved"] as const).map((column) => (
              <th key={column} scope="col" className="bsb-end">
                {t(`effect.column.${column}`)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {effect.versions.map((version) => (
            <tr key={version.from_version}>
              <th scope="row">{t("plan.version", { version: String(version.from_version) })}</th>
              <td className="bsb-end bsb-number" data-label={t("effect.column.subscribers")}>
                <a className="bsb-link" href={holdersOf(effect.plan_id, version.from_version)}>
                  {format.number(version.subscribers, locale)}
                  <span className="bsb-hidden"> {t("effect.see", { plan: `${effect.plan_id}@${version.from_version}` })}</span>
                </a>
              </td>
              <td className="bsb-end bsb-number" data-label={t("effect.column.pay")}>{format.money(version.price_cents, version.currency, locale)}</td>
              <td className="bsb-end bsb-number" data-label={t("effect.column.mrr")}>{format.money(version.mrr_cents, version.currency, locale)}</td>
              <td className="bsb-end bsb-number" data-label={t("effect.column.moved")}>{signed(version.mrr_change_cents, version.currency)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Warnings({ effect }: { effect: Effect }) {
  const t = useAdminText();
  if (effect.warnings.length === 0) return null;
  return (
    <Notice tone="warn">
      <ul className="bsb-stack bsb:gap-1">
        {effect.warnings.map(({ code, before, after, plan_id }) => (
          <li key={code + plan_id}>{t(`warning.${code}`, { before: before ?? "", after: after ?? "", plan: plan_id ?? "" })}</li>
        ))}
      </ul>
    </Notice>
  );
}

const COLUMNS = ["user_id", "status", "plans", "versions", "rails", "since", "ends_at"] as const;

/** Where the customers are who have a plan, or one version of it. */
export const holdersOf = (planId: string, version?: number) =>
  `/console/users?${new URLSearchParams({ plan: planId, ...(version ? { version: String(version) } : {}) }).toString()}`;

/** The list of those who have the plan, or one version: to look at, and to take along, for who wants to tell them. */
export function Touched({ planId, version }: { planId: string; version?: number }) {
  const t = useAdminText();
  const all = useAllCustomers();
  const name = version ? `${planId}@${version}` : planId;
  const save = () =>
    all.mutate(
      { plan: planId, ...(version ? { version: String(version) } : {}) },
      { onSuccess: (users) => download(`${name}.csv`, csv([COLUMNS, ...users.map((user) => COLUMNS.map((name) => [user[name] ?? ""].flat().join(" ")))])) },
    );
  return (
    <div className={classes("bsb-row", version !== undefined && "bsb:md:justify-end bsb:md:flex-nowrap")}>
      <a className="bsb-link bsb-small" href={holdersOf(planId, version)}>
        {version ? t("versions.see") : t("effect.see", { plan: name })}
        {version && <span className="bsb-hidden"> {name}</span>}
      </a>
      <Button size="small" variant="ghost" busy={all.isPending} onClick={save}>
        <Icon name="download" size={16} />
        CSV<span className="bsb-hidden"> {t("effect.see", { plan: name })}</span>
      </Button>
      {all.isError && <ErrorNotice error={all.error} />}
    </div>
  );
}
