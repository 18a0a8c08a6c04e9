import { ErrorNotice, format, SkeletonCard, useBilling } from "@bitsleuth/billing-react";
import { CohortGrid } from "../charts/CohortGrid.js";
import { Figure } from "../charts/Figure.js";
import { Funnel } from "../charts/Funnel.js";
import type { Lines } from "./LedgerLines.js";
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

// Steps that ledger lines stand behind; those before are counted without knowing of whom.
const STEPS_WITH_LINES: Readonly<Record<string, "checkout_started" | "paid" | "became_active">> = { checkout_started: "checkout_started", paid: "paid", active: "became_active" };

export function FunnelFigure({ range, onLines }: ChurnProps) {
  const t = useAdminText();
  const { number, percent } = useNumbers();
  const funnel = useFunnel(range);
  if (funnel.isError) return <ErrorNotice error={funnel.error} onRetry={() => void funnel.refetch()} />;
  if (!funnel.data) return <SkeletonCard heading height="14rem" />;
  const steps = funnel.data.steps.map(({ step, count }) => {
    const figure = STEPS_WITH_LINES[step];
    const name = t(`funnel.${step}`);
    return { name, count, onOpen: figure && count > 0 ? () => onLines({ from: range.from, to: range.to, figure, title: name }) : undefined };
  });
  return (
    <Figure
      title={t("funnel")}
      definition={t("funnel.about")}
      file="funnel"
      columns={[t("funnel.step"), t("count")]}
      rows={steps.map(({ name, count }) => [name, count])}
      onCell={(row) => steps[row]?.onOpen?.()}
      hasLines={(_, row) => Boolean(steps[row]?.onOpen)}
    >
      <Funnel steps={steps} number={number} percent={percent} />
      <p className="bsb-2 bsb-tiny">{t("funnel.lines")}</p>
    </Figure>
  );
}

interface ChurnProps {
  range: Range;
  /** Somebody wants to see what a figure is made of. */
  onLines: (lines: Lines) => void;
}

// The columns of the table, by the figure that their lines add up to.
const COUNTED = [null, null, "users_lost", "users_lost_voluntary", null, "mrr_lost_cents"] as const;

export function ChurnFigure({ range, onLines }: ChurnProps) {
  const t = useAdminText();
  const { number, percent, money, month } = useNumbers();
  const inWords = useReason();
  const churn = useChurn(range);
  if (churn.isError) return <ErrorNotice error={churn.error} onRetry={() => void churn.refetch()} />;
  if (!churn.data) return <SkeletonCard heading height="14rem" />;
  const { months, reasons, currency } = churn.data;
  const named = (m: (typeof months)[number]) => (m.complete ? month(m.month) : t("months.so_far", { month: month(m.month) }));
  const columns = [t("month"), t("churn.start"), t("churn.lost"), t("churn.voluntary"), t("churn.mrr_start"), t("churn.mrr_lost")];
  const open = (row: number, figure: (typeof COUNTED)[number], column = "") => {
    const entry = months[row];
    if (entry && figure) onLines({ ...daysOfMonth(entry.month), figure, title: `${column}, ${named(entry)}` });
  };
  const share = (lost: number, start: number) => (start > 0 ? percent(lost / start) : "–");
  return (
    <Figure
      title={t("churn")}
      main={[4, 4]}
      definition={t("churn.about")}
      file="churn"
      columns={columns}
      hasLines={(column) => Boolean(COUNTED[column])}
      onCell={(row, column) => open(row, COUNTED[column] ?? null, columns[column])}
      rows={months.map((m) => [named(m), m.users_at_start, m.users_lost, m.users_lost_voluntary, m.mrr_at_start_cents, m.mrr_lost_cents])}
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
            {months.slice(0, 6).map((m, row) => (
              <tr key={m.month}>
                <th scope="row">{named(m)}</th>
                <td className="bsb-end bsb-number">
                  <Cell value={m.users_lost} text={share(m.users_lost, m.users_at_start)} onOpen={() => open(row, "users_lost", t("churn.lost"))} />
                </td>
                <td className="bsb-end bsb-number">
                  <Cell value={m.mrr_lost_cents} text={share(m.mrr_lost_cents, m.mrr_at_start_cents)} onOpen={() => open(row, "mrr_lost_cents", t("churn.mrr_lost"))} />
                </td>
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

function Cell({ value, text, onOpen }: { value: number; text: string; onOpen: () => void }) {
  if (value === 0) return text;
  return (
    <button type="button" className="bsb-link figure-cell" onClick={onOpen}>
      {text}
    </button>
  );
}

/** "2026-02" -> its first and its last day. */
function daysOfMonth(month: string) {
  const [year = 0, number = 0] = month.split("-").map(Number);
  return { from: `${month}-01`, to: new Date(Date.UTC(year, number, 0)).toISOString().slice(0, 10) };
}

export function CohortFigure({ onLines }: Pick<ChurnProps, "onLines">) {
  const t = useAdminText();
  const { whole, month: monthName } = useNumbers();
  const cohorts = useCohorts();
  if (cohorts.isError) return <ErrorNotice error={cohorts.error} onRetry={() => void cohorts.refetch()} />;
  if (!cohorts.data) return <SkeletonCard heading height="16rem" />;
  const list = cohorts.data.cohorts.toReversed();
  const months = Math.max(0, ...list.map((cohort) => cohort.retained.length));
  const month = (n: number) => t("cohorts.month", { n });
  const open = (row: number, n: number) => {
    const cohort = list[row]?.month;
    if (!cohort) return;
    const [year = 0, first = 0] = cohort.split("-").map(Number);
    const last = new Date(Date.UTC(year, first - 1 + n, 1)).toISOString().slice(0, 7);
    onLines({ from: `${cohort}-01`, to: daysOfMonth(last).to, cohort, figure: n === 0 ? "users_new" : "active", title: `${monthName(cohort)} ${month(n)}` });
  };
  return (
    <Figure
      title={t("cohorts")}
      definition={t("cohorts.about")}
      file="cohorts"
      columns={[t("month"), t("cohorts.size"), ...Array.from({ length: months }, (_, n) => month(n))]}
      rows={list.map((cohort) => [cohort.month, cohort.size, ...cohort.retained])}
      onCell={(row, column) => open(row, Math.max(0, column - 2))}
      hasLines={() => true}
    >
      {list.length === 0 ? (
        <p className="bsb-2">{t("nothing")}</p>
      ) : (
        <CohortGrid
          cohorts={list}
          percent={whole}
          onOpen={open}
          texts={{ label: t("cohorts"), cohort: t("month"), size: t("cohorts.size"), month, name: monthName }}
        />
      )}
    </Figure>
  );
}
