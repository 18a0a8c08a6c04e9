import { ErrorNotice, format, SkeletonCard, useBilling } from "@bitsleuth/billing-react";
import { CohortGrid } from "../charts/CohortGrid.js";
import { Figure } from "../charts/Figure.js";
import { Funnel } from "../charts/Funnel.js";
import { useReason } from "./parts.js";
import { useChurn, useCohorts, useFunnel, type Range } from "./queries.js";
import { useAdminText } from "./text.js";

function useNumbers() {
  const { locale } = useBilling();
  return {
    number: (n: number) => format.number(n, locale),
    percent: (share: number) => new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 }).format(share),
    whole: (share: number) => new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 0 }).format(share),
    money: (cents: number, currency: string) => format.money(cents, currency, locale),
    /** "2026-11" -> "Nov 2026" */
    month: (iso: string) => new Intl.DateTimeFormat(locale, { month: "short", year: "numeric", timeZone: "UTC" }).format(new Date(iso)),
  };
}

export function FunnelFigure({ range }: { range: Range }) {
  const t = useAdminText();
  const { number, percent } = useNumbers();
  const funnel = useFunnel(range);
  if (funnel.isError) return <ErrorNotice error={funnel.error} onRetry={() => void funnel.refetch()} />;
  if (!funnel.data) return <SkeletonCard heading height="14rem" />;
  const steps = funnel.data.steps.map(({ step, count }) => ({ name: t(`funnel.${step}`), count }));
  return (
    <Figure
      title={t("funnel")}
      definition={t("funnel.about")}
      file="funnel"
      columns={[t("funnel.step"), t("count")]}
      rows={steps.map(({ name, count }) => [name, count])}
    >
      <Funnel steps={steps} number={number} percent={percent} />
    </Figure>
  );
}

export function ChurnFigure({ range }: { range: Range }) {
  const t = useAdminText();
  const { number, percent, money, month } = useNumbers();
  const inWords = useReason();
  const churn = useChurn(range);
  if (churn.isError) return <ErrorNotice error={churn.error} onRetry={() => void churn.refetch()} />;
  if (!churn.data) return <SkeletonCard heading height="14rem" />;
  const { months, reasons, currency } = churn.data;
  const share = (lost: number, start: number) => (start > 0 ? percent(lost / start) : "–");
  return (
    <Figure
      title={t("churn")}
      definition={t("churn.about")}
      file="churn"
      columns={[t("month"), t("churn.start"), t("churn.lost"), t("churn.voluntary"), t("churn.mrr_start"), t("churn.mrr_lost")]}
      rows={months.map((m) => [m.month, m.users_at_start, m.users_lost, m.users_lost_voluntary, m.mrr_at_start_cents, m.mrr_lost_cents])}
      show={(value, column) => (column > 3 ? money(Number(value), currency) : String(value))}
    >
      <div className="bsb-stack">
        <table className="bsb-table bsb-small">
          <thead>
            <tr>
              <th scope="col">{t("month")}</th>
              <th scope="col" className="bsb-end">
                {t("churn.users")}
              </th>
              <th scope="col" className="bsb-end">
                {t("churn.revenue")}
              </th>
            </tr>
          </thead>
          <tbody>
            {months.slice(-6).map((m) => (
              <tr key={m.month}>
                <th scope="row">{month(m.month)}</th>
                <td className="bsb-end bsb-number">{share(m.users_lost, m.users_at_start)}</td>
                <td className="bsb-end bsb-number">{share(m.mrr_lost_cents, m.mrr_at_start_cents)}</td>
              </tr>
            ))}
          </tbody>
        </table>
        {reasons.length > 0 && (
          <p className="bsb-small bsb-2">
            {t("churn.reasons")} {reasons.map(({ reason, count }) => `${inWords(reason)} (${number(count)})`).join(", ")}
          </p>
        )}
      </div>
    </Figure>
  );
}

export function CohortFigure() {
  const t = useAdminText();
  const { whole, month: monthName } = useNumbers();
  const cohorts = useCohorts();
  if (cohorts.isError) return <ErrorNotice error={cohorts.error} onRetry={() => void cohorts.refetch()} />;
  if (!cohorts.data) return <SkeletonCard heading height="16rem" />;
  const list = cohorts.data.cohorts;
  const months = Math.max(0, ...list.map((cohort) => cohort.retained.length));
  const month = (n: number) => t("cohorts.month", { n });
  return (
    <Figure
      title={t("cohorts")}
      definition={t("cohorts.about")}
      file="cohorts"
      columns={[t("month"), t("cohorts.size"), ...Array.from({ length: months }, (_, n) => month(n))]}
      rows={list.map((cohort) => [cohort.month, cohort.size, ...cohort.retained])}
    >
      {list.length === 0 ? (
        <p className="bsb-2">{t("nothing")}</p>
      ) : (
        <CohortGrid
          cohorts={list}
          percent={whole}
          texts={{ label: t("cohorts"), cohort: t("month"), size: t("cohorts.size"), month, name: monthName }}
        />
      )}
    </Figure>
  );
}
