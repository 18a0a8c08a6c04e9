import type { Schemas } from "@bitsleuth/billing-api-client";
import { format, useBilling } from "@bitsleuth/billing-react";
import { Figure } from "../charts/Figure.js";
import { LineChart } from "../charts/LineChart.js";
import { StackedBars, type Series } from "../charts/StackedBars.js";
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
  /** Somebody wants to see what a day (2026-11-22) is made of. */
  onDay: (day: string) => void;
}

export function MrrFigure({ report, onDay }: DaysFigureProps) {
  const t = useAdminText();
  const { exact, short, day } = useMoney(report.currency);
  return (
    <Figure
      title={t("mrr")}
      definition={t("mrr.about")}
      file="mrr"
      columns={[t("day"), t("mrr.short")]}
      rows={report.days.map((d) => [d.day, d.mrr_cents])}
      onRow={onDay}
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

export function MovementsFigure({ report, onDay }: DaysFigureProps) {
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
      columns={[t("day"), ...MOVEMENTS.map(([key]) => t(`movement.${key}`))]}
      rows={report.days.map((d) => [d.day, ...MOVEMENTS.map(([key]) => d[key])])}
      onRow={onDay}
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

interface SliceFigureProps {
  title: string;
  slices: Report["by_plan"];
  currency: string;
  file: string;
}

export function SliceFigure({ title, slices, currency, file }: SliceFigureProps) {
  const t = useAdminText();
  const { exact } = useMoney(currency);
  const rows = slices.map((s) => [s.name, s.payments, s.gross_cents, s.refunded_cents, s.net_cents] as const);
  const most = Math.max(1, ...slices.map((s) => s.net_cents));
  return (
    <Figure
      title={title}
      definition={t("net.about")}
      file={file}
      columns={[t("name"), t("payments"), t("gross"), t("refunded"), t("net")]}
      rows={rows}
      show={(value, column) => (column < 2 ? String(value) : exact(Number(value)))}
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
