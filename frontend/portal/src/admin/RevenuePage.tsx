import type { Schemas } from "@bitsleuth/billing-api-client";
import { ErrorNotice, format, Skeleton, useBilling } from "@bitsleuth/billing-react";
import { useState } from "react";
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
        <>
          <Totals report={revenue.data} />
          <MrrFigure report={revenue.data} onDay={setOpened} />
          <MovementsFigure report={revenue.data} onDay={setOpened} />
          <div className="admin-halves">
            <SliceFigure title={t("revenue.by_plan")} slices={revenue.data.by_plan} currency={revenue.data.currency} file="revenue-by-plan" />
            <SliceFigure title={t("revenue.by_provider")} slices={revenue.data.by_provider} currency={revenue.data.currency} file="revenue-by-provider" />
          </div>
        </>
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

function Totals({ report }: { report: Schemas["RevenueReport"] }) {
  const t = useAdminText();
  const { locale } = useBilling();
  const { totals, previous, currency } = report;
  const amount = (cents: number) => format.money(cents, currency, locale);
  const count = (n: number) => format.number(n, locale);
  const figures: [string, string, number, number][] = [
    [t("total.mrr"), amount(totals.mrr_cents), totals.mrr_cents, previous.mrr_cents],
    [t("total.arr"), amount(totals.arr_cents), totals.arr_cents, previous.arr_cents],
    [t("total.net"), amount(totals.net_cents), totals.net_cents, previous.net_cents],
    [t("total.refunded"), amount(totals.refunded_cents), totals.refunded_cents, previous.refunded_cents],
    [t("total.active"), count(totals.active), totals.active, previous.active],
    [t("total.trialing"), count(totals.trialing), totals.trialing, previous.trialing],
    [t("total.arpu"), amount(totals.arpu_cents), totals.arpu_cents, previous.arpu_cents],
    [t("payments"), count(totals.payments), totals.payments, previous.payments],
  ];
  return (
    <dl className="admin-grid">
      {figures.map(([name, text, value, before]) => (
        <div key={name} className="bsb-card admin-figure">
          <dt className="bsb-2 bsb-small">{name}</dt>
          <dd>{text}</dd>
          <dd className="bsb-2 bsb:text-xs! bsb:font-normal! bsb:tracking-normal!">
            <Change value={value} before={before} />
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Change({ value, before }: { value: number; before: number }) {
  const t = useAdminText();
  const { locale } = useBilling();
  if (value === before) return t("total.same");
  if (before === 0) return t("total.from_nothing");
  const share = new Intl.NumberFormat(locale, { style: "percent", signDisplay: "always", maximumFractionDigits: 0 });
  return t("total.change", { change: share.format(value / before - 1) });
}

function RevenueSkeleton() {
  return (
    <div className="bsb-stack bsb:gap-6" aria-busy="true">
      <div className="admin-grid">
        {[0, 1, 2, 3, 4, 5, 6].map((card) => (
          <Skeleton key={card} height="6.25rem" />
        ))}
      </div>
      <Skeleton height="18rem" />
      <Skeleton height="20rem" />
    </div>
  );
}
