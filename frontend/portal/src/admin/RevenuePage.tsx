import type { Schemas } from "@bitsleuth/billing-api-client";
import { classes, ErrorNotice, format, Skeleton, SkeletonCard, useBilling } from "@bitsleuth/billing-react";
import { useState } from "react";
import { Definition } from "../charts/Definition.js";
import { setQueryParam, useQueryParam } from "../router.js";
import { LedgerLines } from "./LedgerLines.js";
import { ChurnFigure, CohortFigure, FunnelFigure } from "./MetricFigures.js";
import { useRevenue, type Range } from "./queries.js";
import { MovementsFigure, MrrFigure, SliceFigure } from "./RevenueFigures.js";
import { useAdminText } from "./text.js";

const DAYS = ["30", "90", "365"] as const;
type Days = (typeof DAYS)[number];

/** The state of the business on one page; every figure with its definition and its rows. */
export function RevenuePage() {
  const t = useAdminText();
  const [now] = useState(() => Date.now());
  const asked = useQueryParam("days");
  const days: Days = DAYS.find((choice) => choice === asked) ?? "30";
  const currency = useQueryParam("currency");
  const range: Range = { from: day(now - (Number(days) - 1) * 86_400_000), to: day(now), ...(currency ? { currency } : {}) };
  const revenue = useRevenue(range);
  const [opened, setOpened] = useState<string | null>(null);
  return (
    <div className="bsb-stack bsb:gap-6">
      <div className="bsb-row bsb-between">
        <h1 className="bsb-h1">{t("revenue")}</h1>
        <div className="bsb-row">
          <Currencies report={revenue.data} />
          <select className="bsb-input bsb:w-auto" aria-label={t("range")} value={days} onChange={(event) => setQueryParam("days", event.target.value)}>
            {DAYS.map((choice) => (
              <option key={choice} value={choice}>
                {t("range.days", { count: Number(choice) })}
              </option>
            ))}
          </select>
        </div>
      </div>
      {revenue.isError && <ErrorNotice error={revenue.error} onRetry={() => void revenue.refetch()} />}
      {revenue.isPending && <RevenueSkeleton />}
      {revenue.data && (
        <div className={classes("bsb-stack bsb:gap-6", revenue.isPlaceholderData && "admin-stale")} aria-busy={revenue.isPlaceholderData || undefined}>
          <Totals report={revenue.data} />
          <MrrFigure report={revenue.data} onDay={setOpened} />
          <MovementsFigure report={revenue.data} onDay={setOpened} />
          <div className="admin-halves">
            <SliceFigure title={t("revenue.by_plan")} slices={revenue.data.by_plan} currency={revenue.data.currency} file="revenue-by-plan" />
            <SliceFigure title={t("revenue.by_provider")} slices={revenue.data.by_provider} currency={revenue.data.currency} file="revenue-by-provider" />
          </div>
        </div>
      )}
      <div className="admin-halves">
        <FunnelFigure range={range} />
        <ChurnFigure range={range} />
      </div>
      <CohortFigure />
      {opened && revenue.data && (
        <LedgerLines day={opened} currency={revenue.data.currency} onClose={() => setOpened(null)} />
      )}
    </div>
  );
}

const day = (time: number) => new Date(time).toISOString().slice(0, 10);

function Currencies({ report }: { report: Schemas["RevenueReport"] | undefined }) {
  const t = useAdminText();
  if (!report || report.currencies.length < 2) return null;
  return (
    <select className="bsb-input bsb:w-auto" aria-label={t("currency")} value={report.currency} onChange={(event) => setQueryParam("currency", event.target.value)}>
      {report.currencies.map((code) => (
        <option key={code}>{code}</option>
      ))}
    </select>
  );
}

interface Total {
  key: "mrr" | "arr" | "net" | "tax" | "refunded" | "active" | "trialing" | "arpu" | "payments";
  value: number;
  before: number;
}

const COUNTS: readonly Total["key"][] = ["active", "trialing", "payments"];

function Totals({ report: { totals, previous, currency } }: { report: Schemas["RevenueReport"] }) {
  const t = useAdminText();
  const { locale } = useBilling();
  const figures: Total[] = [
    { key: "mrr", value: totals.mrr_cents, before: previous.mrr_cents },
    { key: "arr", value: totals.arr_cents, before: previous.arr_cents },
    { key: "net", value: totals.net_cents, before: previous.net_cents },
    { key: "tax", value: totals.tax_cents, before: previous.tax_cents },
    { key: "refunded", value: totals.refunded_cents, before: previous.refunded_cents },
    { key: "active", value: totals.active, before: previous.active },
    { key: "trialing", value: totals.trialing, before: previous.trialing },
    { key: "arpu", value: totals.arpu_cents, before: previous.arpu_cents },
    { key: "payments", value: totals.payments, before: previous.payments },
  ];
  return (
    <dl className="admin-grid">
      {figures.map((figure) => (
        <div key={figure.key} className="bsb-card admin-figure">
          <dt className="bsb-2 bsb-small bsb-row bsb:relative bsb:gap-1">
            {t(`total.${figure.key}`)}
            <Definition of={t(`total.${figure.key}`)}>{t(`total.${figure.key}.about`)}</Definition>
          </dt>
          <dd>{COUNTS.includes(figure.key) ? format.number(figure.value, locale) : format.money(figure.value, currency, locale)}</dd>
          <dd className="bsb-2 bsb:text-xs! bsb:font-normal! bsb:tracking-normal!">
            <Change total={figure} />
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Change({ total: { key, value, before } }: { total: Total }) {
  const t = useAdminText();
  const { locale } = useBilling();
  if (value === before) return t("total.same");
  if (before === 0) return t("total.from_nothing");
  const share = new Intl.NumberFormat(locale, { style: "percent", signDisplay: "always", maximumFractionDigits: 0 });
  return (
    <>
      <span className={value > before === (key === "refunded") ? "admin-worse" : "admin-better"}>{share.format(value / before - 1)}</span> {t("total.before")}
    </>
  );
}

function RevenueSkeleton() {
  return (
    <div className="bsb-stack bsb:gap-6">
      <div className="admin-grid">
        {Array.from({ length: 9 }, (_, card) => (
          <div key={card} className="bsb-card admin-figure">
            <Skeleton width="60%" height="1.25rem" />
            <div className="bsb:mt-2">
              <Skeleton width="80%" height="2.625rem" />
            </div>
          </div>
        ))}
      </div>
      <SkeletonCard heading height="15rem" />
      <SkeletonCard heading height="17rem" />
    </div>
  );
}
