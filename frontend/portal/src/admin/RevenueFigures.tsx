import type { Schemas } from "@bitsleuth/billing-api-client";
import { format, useBilling } from "@bitsleuth/billing-react";
import { Figure } from "../charts/Figure.js";
import { LineChart } from "../charts/LineChart.js";
import { StackedBars, type Series } from "../charts/StackedBars.js";
import type { Figure as Counted, Lines } from "./LedgerLines.js";
import { digitsOf } from "./money.js";
import { useAdminText } from "./text.js";

type Report = Schemas["RevenueReport"];

/** Amounts of a report as texts: exact in tables, short beside a chart. */
function useMoney(currency: string) {
  const { locale } = useBilling();
  const compact = new Intl.NumberFormat(locale, { style: "currency", currency, notation: "compact", maximumFractionDigits: 1 });
  return {
    exact: (cents: number) => format.money(cents, currency, locale),
    short: (cents: number) => compact.format(cents / 10 ** digitsOf(currency)),
    day: (iso: string) => new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", timeZone: "UTC" }).format(new Date(iso)),
  };
}

interface DaysFigureProps {
  report: Report;
  /** Somebody wants to see what a row is made of. */
  onLines: (lines: Lines) => void;
}

/** A table whose rows and cells lead to their lines: `figures` name those of its columns, `of` the span of a row. */
function leading(figures: readonly (Counted | null)[], columns: readonly string[], of: (row: number) => Lines | undefined, onLines: (lines: Lines) => void) {
  return {
    columns,
    onRow: (row: number) => {
      const lines = of(row);
      if (lines) onLines(lines);
    },
    hasLines: (column: number) => Boolean(figures[column]),
    onCell: (row: number, column: number) => {
      const [lines, figure] = [of(row), figures[column]];
      if (lines && figure) onLines({ ...lines, figure, title: `${columns[column] ?? ""}, ${lines.title}` });
    },
  };
}

/** The days of a table: the newest stands first. */
function daysOf(report: Report) {
  const newest = report.days.toReversed();
  const of = (row: number): Lines | undefined => {
    const day = newest[row]?.day;
    return day ? { from: day, to: day, title: day } : undefined;
  };
  return { newest, of };
}

export function MrrFigure({ report, onLines }: DaysFigureProps) {
  const { newest, of } = daysOf(report);
  const t = useAdminText();
  const { exact, short, day } = useMoney(report.currency);
  return (
    <Figure
      title={t("mrr")}
      definition={t("mrr.about")}
      file="mrr"
      {...leading([null, "mrr_cents"], [t("day"), t("mrr.short")], of, onLines)}
      rows={newest.map((d) => [d.day, d.mrr_cents])}
      show={(value, column) => (column === 0 ? String(value) : exact(Number(value)))}
    >
      {report.days.some((d) => d.mrr_cents !== 0) ? (
        <LineChart
          points={report.days.map((d) => ({ label: day(d.day), value: d.mrr_cents }))}
          format={short}
          exact={exact}
          summary={t("mrr.summary", { value: exact(report.totals.mrr_cents), before: exact(report.previous.mrr_cents) })}
        />
      ) : (
        <p className="bsb-2 chart-none">{t("range.nothing")}</p>
      )}
    </Figure>
  );
}

const MOVEMENTS = [
  ["new_cents", "chart-up"],
  ["reactivation_cents", "chart-neutral"],
  ["expansion_cents", "chart-up-2"],
  ["contraction_cents", "chart-down-2"],
  ["churn_cents", "chart-down"],
] as const;

export function MovementsFigure({ report, onLines }: DaysFigureProps) {
  const { newest, of } = daysOf(report);
  const t = useAdminText();
  const { exact, short, day } = useMoney(report.currency);
  const groups = grouped(report.days);
  const span = ({ days }: { days: Report["days"] }) => {
    const [first, last] = [days[0]?.day ?? "", days.at(-1)?.day ?? ""];
    return first === last ? day(first) : `${day(first)} – ${day(last)}`;
  };
  const series: Series[] = MOVEMENTS.map(([key, tone]) => ({
    name: t(`movement.${key}`),
    tone,
    values: groups.map((group) => group.days.reduce((sum, d) => sum + d[key], 0)),
  }));
  return (
    <Figure
      title={t("movements")}
      definition={t("movements.about")}
      file="mrr-movements"
      {...leading([null, ...MOVEMENTS.map(([key]) => key)], [t("day"), ...MOVEMENTS.map(([key]) => t(`movement.${key}`))], of, onLines)}
      rows={newest.map((d) => [d.day, ...MOVEMENTS.map(([key]) => d[key])])}
      show={(value, column) => (column === 0 ? String(value) : exact(Number(value)))}
    >
      {series.some(({ values }) => values.some((value) => value !== 0)) ? (
        <StackedBars
          labels={groups.map(({ days }) => day(days[0]?.day ?? ""))}
          periods={groups.map(span)}
          series={series}
          format={short}
          exact={exact}
          summary={t("movements.about")}
        />
      ) : (
        <p className="bsb-2 chart-none">{t("range.nothing")}</p>
      )}
    </Figure>
  );
}

/** At most about thirty bars: days, or groups of so many days. */
function grouped(days: Report["days"]): { days: Report["days"] }[] {
  const size = Math.ceil(days.length / 31);
  return Array.from({ length: Math.ceil(days.length / size) }, (_, i) => ({ days: days.slice(i * size, (i + 1) * size) }));
}

// What is read first stands first, so that it is seen without scrolling: the outcome, then what it is made of.
const OUTCOME = ["net_cents", "mrr_cents"] as const;
const MONEY = ["gross_cents", "refunded_cents", "disputed_cents", "fees_cents", "tax_cents"] as const;

/** The months of the range, the newest first; one that runs, or that the range cuts, says so. */
export function MonthsFigure({ report, onLines }: DaysFigureProps) {
  const t = useAdminText();
  const { locale } = useBilling();
  const { exact, day } = useMoney(report.currency);
  const today = new Date().toISOString().slice(0, 10);
  const name = new Intl.DateTimeFormat(locale, { month: "short", year: "numeric", timeZone: "UTC" });
  const share = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 });
  const title = (m: Report["months"][number]) => {
    const month = name.format(new Date(m.month));
    if (m.complete) return month;
    if (m.to_day >= today && m.from_day.endsWith("-01")) return t("months.so_far", { month });
    return t("months.part", { month, from: day(m.from_day), to: day(m.to_day) });
  };
  const movements = MOVEMENTS.map(([key]) => key);
  const customers = ["users_new", "users_lost", "users_returning"] as const;
  const counts = 1 + OUTCOME.length + MONEY.length;
  const retention = counts + customers.length;
  const of = (row: number): Lines | undefined => {
    const month = report.months[row];
    return month && { from: month.from_day, to: month.to_day, title: title(month) };
  };
  return (
    <Figure
      asTable
      main={[3, 10]}
      title={t("months")}
      definition={t("months.about")}
      file="months"
      {...leading(
        [null, ...OUTCOME, ...MONEY, ...customers, null, ...movements],
        [
          t("month"),
          t("column.net_cents"),
          t("mrr.short"),
          ...MONEY.map((key) => t(`column.${key}`)),
          ...customers.map((key) => t(`column.${key}`)),
          t("column.net_retention"),
          ...MOVEMENTS.map(([key]) => t(`movement.${key}`)),
        ],
        of,
        onLines,
      )}
      rows={report.months.map((m) => [title(m), ...OUTCOME.map((key) => m[key]), ...MONEY.map((key) => m[key]), ...customers.map((key) => m[key]), m.net_retention ?? "", ...movements.map((key) => m[key])])}
      show={(value, column) => {
        if (column === retention) return value === "" ? "–" : share.format(Number(value));
        return column === 0 || (column >= counts && column < retention) ? String(value) : exact(Number(value));
      }}
    />
  );
}

interface SliceFigureProps {
  title: string;
  slices: Report["by_plan"];
  by: "plan_id" | "provider";
  report: Report;
  onLines: (lines: Lines) => void;
  file: string;
}

export function SliceFigure({ title, slices, by, report, onLines, file }: SliceFigureProps) {
  const t = useAdminText();
  const { exact } = useMoney(report.currency);
  const named = (s: Report["by_plan"][number]) => (s.name === s.key ? s.key : `${s.name} (${s.key})`);
  const rows = slices.map((s) => [named(s), s.net_cents, s.mrr_cents, s.payments, s.subscribers, ...MONEY.map((key) => s[key])]);
  const of = (row: number): Lines | undefined => {
    const slice = slices[row];
    return slice && { from: report.from_day, to: report.to_day, title: named(slice), [by]: slice.key };
  };
  const most = Math.max(1, ...slices.map((s) => s.net_cents));
  return (
    <Figure
      title={title}
      main={[3, 3]}
      definition={t("net.about")}
      file={file}
      {...leading(
        [null, ...OUTCOME, "payments", "subscribers", ...MONEY],
        [t("name"), t("column.net_cents"), t("mrr.short"), t("payments"), t("total.subscribers"), ...MONEY.map((key) => t(`column.${key}`))],
        of,
        onLines,
      )}
      rows={rows}
      show={(value, column) => ([0, 3, 4].includes(column) ? String(value) : exact(Number(value)))}
    >
      {slices.length === 0 ? (
        <p className="bsb-2">{t("nothing")}</p>
      ) : (
        <ul className="bsb-stack bsb:gap-3">
          {slices.map((slice) => (
            <li key={slice.key} className="bsb-stack bsb:gap-1">
              <p className="bsb-row bsb-between bsb-small">
                <span>
                  {slice.name} {slice.key !== slice.name && <span className="bsb-mono bsb-2">{slice.key}</span>}
                </span>
                <span className="bsb-number">{exact(slice.net_cents)}</span>
              </p>
              <progress className="bsb-meter admin-share" aria-label={`${slice.name} ${slice.key}`} value={Math.max(0, slice.net_cents)} max={most} />
            </li>
          ))}
        </ul>
      )}
    </Figure>
  );
}
