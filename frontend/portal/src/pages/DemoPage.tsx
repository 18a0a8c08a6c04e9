import { format, Protected, ScrollArea, SkeletonCard, useBilling, useEntitlements, usePlans } from "@bitsleuth/billing-react";
import { usePortalText } from "../text.js";
import { useTitle } from "../title.js";
import { gains, SAMPLE } from "./gains.js";

const FEATURE = "tax.enhanced";
const loading = <SkeletonCard heading lines={6} />;

/** A premium feature behind its gate, so that buying can be seen to open it. */
export default function DemoPage() {
  const t = usePortalText();
  useTitle(t("demo"));
  return (
    <div className="bsb-stack portal-narrow bsb:gap-8">
      <div className="bsb-stack bsb:gap-3">
        <h1 className="bsb-h1">{t("demo.title")}</h1>
        <p className="bsb-2 bsb:text-lg">{t("demo.about")}</p>
      </div>
      <Protected feature={FEATURE} loading={loading}>
        <Report />
      </Protected>
    </div>
  );
}

function Report() {
  const t = usePortalText();
  const { locale } = useBilling();
  const source = useEntitlements().get(FEATURE)?.sources[0];
  const plans = usePlans();
  const plan = plans.data?.plans.find(({ plan_id }) => plan_id === source?.plan_id);
  const rows = gains(SAMPLE);
  const money = (cents: number) => format.money(cents, "USD", locale, { exact: false });
  const total = rows.reduce((sum, row) => sum + row.gain_cents, 0);
  if (plans.isPending) return loading; // the plan's name, where it came late, would move what stands below it
  return (
    <section className="bsb-stack" aria-labelledby="report">
      <div className="bsb-stack bsb:gap-1">
        <div className="bsb-row bsb-between">
          <h2 className="bsb-h2" id="report">
            {t("demo.report")}
          </h2>
          {source && <span className="bsb-badge bsb-badge-good">{t("demo.open", { source: plan?.name ?? source.kind })}</span>}
        </div>
        <p className="bsb-2 bsb-small">{t("demo.method")}</p>
      </div>
      <ScrollArea labelledBy="report">
        <table className="bsb-table">
          <thead>
            <tr>
              <th scope="col">{t("demo.sold")}</th>
              <th scope="col" className="bsb-end">{t("demo.proceeds")}</th>
              <th scope="col" className="bsb-end">{t("demo.cost")}</th>
              <th scope="col" className="bsb-end">{t("demo.gain")}</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.day}>
                <th scope="row" className="bsb:whitespace-nowrap">
                  {format.shortDate(`${row.day}T12:00:00Z`, locale)}
                  <p className="bsb-2 bsb-tiny bsb-number bsb:font-normal">{format.number(row.sats / 1e8, locale)} BTC</p>
                </th>
                <td className="bsb-end bsb-number">{money(row.proceeds_cents)}</td>
                <td className="bsb-end bsb-number">{money(row.cost_cents)}</td>
                <td className="bsb-end bsb-number">{money(row.gain_cents)}</td>
              </tr>
            ))}
            <tr>
              <th scope="row" colSpan={3}>{t("demo.total")}</th>
              <td className="bsb-end bsb-number bsb:font-semibold">{money(total)}</td>
            </tr>
          </tbody>
        </table>
      </ScrollArea>
    </section>
  );
}
