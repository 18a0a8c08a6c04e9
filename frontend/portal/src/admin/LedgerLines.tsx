import { Button, Dialog, ErrorNotice, format, SkeletonCard, useBilling } from "@bitsleuth/billing-react";
import { UserLink, useReason } from "./parts.js";
import { useLedgerLines, type LedgerLine } from "./queries.js";
import { useAdminText } from "./text.js";

export type Figure =
  | "gross_cents" | "refunded_cents" | "disputed_cents" | "fees_cents" | "net_cents" | "tax_cents" | "payments"
  | "mrr_cents" | "new_cents" | "expansion_cents" | "contraction_cents" | "churn_cents" | "reactivation_cents" | "mrr_lost_cents"
  | "subscribers" | "active" | "trialing" | "users_new" | "users_returning" | "users_lost" | "users_lost_voluntary"
  | "checkout_started" | "paid" | "became_active";

/** Of what is so at a time there are no lines that add up to it, only such as changed it. */
const AT_A_TIME: readonly Figure[] = ["mrr_cents", "subscribers", "active", "trialing"];

/** Which lines: of some days, and perhaps of one plan or provider. */
export interface Lines {
  from: string;
  to: string;
  plan_id?: string;
  provider?: string;
  /** Only those that count the users of this month. */
  cohort?: string;
  /** The figure that they add up to; without one, all of them. */
  figure?: Figure;
  /** What they are the lines of, in words. */
  title: string;
}

interface LedgerLinesProps {
  of: Lines;
  currency: string;
  onClose: () => void;
}

/** The ledger lines that figures are made of; once all are here, their sums. */
export function LedgerLines({ of: { title, ...asked }, currency, onClose }: LedgerLinesProps) {
  const t = useAdminText();
  const { locale } = useBilling();
  const query = useLedgerLines({ ...asked, currency });
  const lines = query.data?.pages.flatMap((page) => page.lines) ?? [];
  const amount = (cents: number) => format.money(cents, currency, locale);
  return (
    <Dialog onClose={onClose} title={t("lines.title", { day: title })} description={t(asked.cohort ? "lines.about_cohort" : asked.figure && AT_A_TIME.includes(asked.figure) ? "lines.about_state" : asked.figure ? "lines.about_figure" : "lines.about")} width="64rem">
      {query.isPending && <SkeletonCard lines={6} />}
      {query.isError && !query.isFetchNextPageError && <ErrorNotice error={query.error} onRetry={() => void query.refetch()} />}
      {query.data && lines.length === 0 && <p className="bsb-2">{t("lines.none")}</p>}
      {lines.length > 0 && <Table lines={lines} amount={amount} label={t("lines.title", { day: title })} />}
      {lines.length > 0 && !query.hasNextPage && <Sums lines={lines} amount={amount} />}
      {query.isFetchNextPageError && <ErrorNotice error={query.error} />}
      {query.hasNextPage && (
        <div>
          <Button busy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
            {t("more")}
          </Button>
        </div>
      )}
    </Dialog>
  );
}

interface LinesProps {
  lines: readonly LedgerLine[];
  amount: (cents: number) => string;
}

function Table({ lines, amount, label }: LinesProps & { label: string }) {
  const t = useAdminText();
  const inWords = useReason();
  const { locale } = useBilling();
  return (
    // Scrolls in both directions, so the keyboard must reach it.
    // eslint-disable-next-line jsx-a11y-x/no-noninteractive-tabindex
    <div className="bsb-scroll bsb-scroll-both" role="group" tabIndex={0} aria-label={label}>
      <table className="bsb-table bsb-small stacked">
        <thead>
          <tr>
            {(["time", "kind", "plan", "provider", "user"] as const).map((column) => (
              <th key={column} scope="col">
                {t(`lines.${column}`)}
              </th>
            ))}
            <th scope="col" className="bsb-end">
              {t("lines.amount")}
            </th>
            <th scope="col" className="bsb-end">
              {t("lines.tax")}
            </th>
          </tr>
        </thead>
        <tbody>
          {lines.map((line) => (
            <tr key={`${line.user_id} ${line.entry_id}`}>
              <td className="bsb:whitespace-nowrap" data-label={t("lines.time")}>
                {format.dateTime(line.at, locale)}
              </td>
              <th scope="row">
                {t(`line.${line.kind}`)}
                {line.movement && <span className="bsb-2"> {t(`line.${line.movement}`)}</span>}
                {line.movement === "churn" && line.reason && <span className="bsb-2"> ({inWords(line.reason)})</span>}
              </th>
              <td className="bsb:whitespace-nowrap" data-label={t("lines.plan")}>
                {line.plan_id}
              </td>
              <td data-label={t("lines.provider")}>{line.provider}</td>
              <td data-label={t("lines.user")}>
                <UserLink userId={line.user_id} />
              </td>
              <td className="bsb-end bsb-number" data-label={t("lines.amount")}>
                {amount(line.amount_cents)}
              </td>
              <td className="bsb-end bsb-number" data-label={t("lines.tax")}>
                {line.tax_cents === 0 ? "" : amount(line.tax_cents)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** What the lines come to, by kind, and the tax beside them: the figures that they are of. */
function Sums({ lines, amount }: LinesProps) {
  const t = useAdminText();
  const sums = new Map<LedgerLine["kind"], number>();
  for (const line of lines) sums.set(line.kind, (sums.get(line.kind) ?? 0) + line.amount_cents);
  const tax = lines.reduce((sum, line) => sum + line.tax_cents, 0);
  const shown = [...[...sums].map(([kind, cents]) => [t(`line.${kind}`), amount(cents)] as const), ...(tax ? [[t("lines.tax"), amount(tax)] as const] : [])];
  return (
    <dl className="bsb-row bsb-small" aria-label={t("lines.sums")}>
      {[[t("lines.count"), String(lines.length)] as const, ...shown].map(([name, value]) => (
        <div key={name} className="bsb-row bsb:gap-1">
          <dt className="bsb-2">{name}</dt>
          <dd className="bsb-number">{value}</dd>
        </div>
      ))}
    </dl>
  );
}
