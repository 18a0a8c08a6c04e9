import type { Schemas } from "@bitsleuth/billing-api-client";
import { classes, ErrorNotice, format, Skeleton, SkeletonCard, useBilling } from "@bitsleuth/billing-react";
import { useState } from "react";
import { Definition } from "../charts/Definition.js";
import { setQueryParam, useQueryParam } from "../router.js";
import { LedgerLines, type Figure as Counted, type Lines } from "./LedgerLines.js";
import { ChurnFigure, CohortFigure, FunnelFigure } from "./MetricFigures.js";
import { roomFor } from "./parts.js";
import { useRevenue, type Range } from "./queries.js";
import { daysOf, RangeChoice } from "./RangeChoice.js";
import { MonthsFigure, MovementsFigure, MrrFigure, SliceFigure } from "./RevenueFigures.js";
import { useAdminText } from "./text.js";

/** The state of the business on one page; every figure with its definition and its rows. */
export function RevenuePage() {
  const t = useAdminText();
  const [now] = useState(() => Date.now());
  const asked = { range: useQueryParam("range"), from: useQueryParam("from"), to: useQueryParam("to") };
  const currency = useQueryParam("currency");
  const days = daysOf(asked, now);
  const range: Range = { from: days.from, to: days.to, ...(currency ? { currency } : {}) };
  const revenue = useRevenue(range);
  const [opened, setOpened] = useState<Lines | null>(null);
  return (
    <div className="bsb-stack bsb:gap-6">
      <div className="bsb-row bsb-between">
        <h1 className="bsb-h1">{t("revenue")}</h1>
        <div className="bsb-row">
          <Currencies report={revenue.data} />
          <RangeChoice key={`${days.from}/${days.to}`} days={days} now={now} />
        </div>
      </div>
      {revenue.isError && <ErrorNotice error={revenue.error} onRetry={() => void revenue.refetch()} />}
      {revenue.isPending && <RevenueSkeleton />}
      {revenue.data && (
        <div className={classes("bsb-stack bsb:gap-6", revenue.isPlaceholderData && "admin-stale")} aria-busy={revenue.isPlaceholderData || undefined}>
          <Totals report={revenue.data} onLines={setOpened} />
          <MonthsFigure report={revenue.data} onLines={setOpened} />
          <MrrFigure report={revenue.data} onLines={setOpened} />
          <MovementsFigure report={revenue.data} onLines={setOpened} />
          <div className="admin-halves">
            <SliceFigure title={t("revenue.by_plan")} slices={revenue.data.by_plan} by="plan_id" report={revenue.data} onLines={setOpened} file="revenue-by-plan" />
            <SliceFigure title={t("revenue.by_provider")} slices={revenue.data.by_provider} by="provider" report={revenue.data} onLines={setOpened} file="revenue-by-provider" />
          </div>
        </div>
      )}
      <div className="admin-halves">
        <FunnelFigure range={range} onLines={setOpened} />
        <ChurnFigure range={range} onLines={setOpened} />
      </div>
      <CohortFigure onLines={setOpened} />
      {opened && revenue.data && (
        <LedgerLines of={opened} currency={revenue.data.currency} onClose={() => setOpened(null)} />
      )}
    </div>
  );
}

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

type Totals = Schemas["RevenueReport"]["totals"];

/** The tiles, in the order in which they are read; money unless said otherwise. */
const TILES = [
  ["net", "net_cents", "money"],
  ["gross", "gross_cents", "money"],
  ["refunded", "refunded_cents", "money"],
  ["disputed", "disputed_cents", "money"],
  ["fees", "fees_cents", "money"],
  ["tax", "tax_cents", "money"],
  ["mrr", "mrr_cents", "money"],
  ["arr", "arr_cents", "money"],
  ["active", "active", "count"],
  ["subscribers", "subscribers", "count"],
  ["new", "users_new", "count"],
  ["lost", "users_lost", "count"],
  ["net_retention", "net_retention", "share"],
  ["arpu", "arpu_cents", "money"],
  ["lifetime_value", "lifetime_value_cents", "money"],
  ["trialing", "trialing", "count"],
  ["payments", "payments", "count"],
] as const satisfies readonly (readonly [string, keyof Totals, "money" | "count" | "share"])[];
type Tile = (typeof TILES)[number];

/** Where more is worse. */
const LESS_IS_BETTER: readonly Tile[0][] = ["refunded", "disputed", "fees", "lost"];

/** Those that are worked out of others have no lines of their own. */
const WORKED_OUT: readonly (keyof Totals)[] = ["arr_cents", "arpu_cents", "net_retention", "lifetime_value_cents"];
const isCounted = (key: keyof Totals): key is keyof Totals & Counted => !WORKED_OUT.includes(key);

function Totals({ report, onLines }: { report: Schemas["RevenueReport"]; onLines: (lines: Lines) => void }) {
  const t = useAdminText();
  const { locale } = useBilling();
  const shown = (value: number | null, kind: Tile[2]) => {
    if (value === null) return "–";
    if (kind === "money") return format.money(value, report.currency, locale);
    return kind === "count" ? format.number(value, locale) : new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 }).format(value);
  };
  return (
    <dl className="admin-grid">
      {TILES.map(([name, key, kind]) => (
        <div key={name} className="bsb-card admin-figure">
          <dt className="bsb-2 bsb-small bsb-row bsb:relative bsb:gap-1">
            {t(`total.${name}`)}
            <Definition of={t(`total.${name}`)}>{t(`total.${name}.about`)}</Definition>
          </dt>
          <dd style={roomFor(shown(report.totals[key], kind))}>
            {isCounted(key) && report.totals[key] !== 0 ? (
              <button
                type="button"
                className="figure-cell"
                aria-label={t("total.lines", { figure: t(`total.${name}`), value: shown(report.totals[key], kind) })}
                onClick={() => onLines({ from: report.from_day, to: report.to_day, figure: key, title: t(`total.${name}`) })}
              >
                {shown(report.totals[key], kind)}
              </button>
            ) : (
              shown(report.totals[key], kind)
            )}
          </dd>
          <dd className="bsb-2 bsb:text-xs! bsb:font-normal! bsb:tracking-normal!">
            <Change name={name} value={report.totals[key]} before={report.previous[key]} words={shown(report.previous[key], kind)} report={report} />
          </dd>
        </div>
      ))}
    </dl>
  );
}

interface ChangeProps {
  name: Tile[0];
  value: number | null;
  before: number | null;
  /** What it was before, as a text. */
  words: string;
  report: Schemas["RevenueReport"];
}

/** "+12%, from $80.00 in Oct 1 – Oct 31": against the range before, which has a name. */
function Change({ name, value, before, words, report }: ChangeProps) {
  const t = useAdminText();
  const { locale } = useBilling();
  const day = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", timeZone: "UTC" });
  const when = day.formatRange(new Date(report.previous_from_day), new Date(report.previous_to_day));
  if (value === null || before === null) return before === null ? t("total.unknown", { when }) : t("total.was", { value: words, when });
  if (value === before) return t("total.same", { when });
  if (before === 0) return t("total.from_nothing", { when });
  const share = new Intl.NumberFormat(locale, { style: "percent", signDisplay: "always", maximumFractionDigits: 0 });
  const better = value > before !== LESS_IS_BETTER.includes(name);
  return (
    <>
      <span className={better ? "admin-better" : "admin-worse"}>{share.format((value - before) / Math.abs(before))}</span> {t("total.was", { value: words, when })}
    </>
  );
}

function RevenueSkeleton() {
  return (
    <div className="bsb-stack bsb:gap-6">
      <div className="admin-grid">
        {Array.from({ length: TILES.length }, (_, card) => (
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
