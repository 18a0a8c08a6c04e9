"use client";

import type { Schemas } from "@bitsleuth/billing-api-client";
import { grants, money } from "../format.js";
import { planAt, type Interval, type Offer } from "../offers.js";
import { useBilling } from "../provider.js";
import { useFeatureTexts } from "../text-of-feature.js";
import { useT } from "../text.js";
import { Icon } from "../ui/Icon.js";
import { ScrollArea } from "../ui/ScrollArea.js";

interface CompareTableProps {
  offers: readonly Offer[];
  interval: Interval;
  features: readonly Schemas["FeatureInfo"][];
  /** The plan the buyer has. */
  current: string | undefined;
}

/** Every feature against every recurring offer. */
export function CompareTable({ offers, interval, features, current }: CompareTableProps) {
  const t = useT();
  const { locale } = useBilling();
  const texts = useFeatureTexts(features);
  const columns = offers.flatMap((offer) => {
    const plan = planAt(offer, interval);
    return plan ? [{ offer, plan }] : [];
  });
  const rows = features.filter(({ feature }) => columns.some(({ plan }) => grants(plan.features[feature])));
  if (rows.length === 0) return null;
  return (
    <section className="bsb-stack" aria-labelledby="bsb-compare">
      <h2 className="bsb-h2" id="bsb-compare">
        {t("pricing.compare")}
      </h2>
      <ScrollArea labelledBy="bsb-compare">
        <table className="bsb-table bsb-table-sticky bsb-compare">
          <thead>
            <tr>
              <th scope="col">{t("pricing.feature")}</th>
              {columns.map(({ offer, plan }) => (
                <th key={offer.key} scope="col">
                  <span className="bsb-compare-plan">{offer.name}</span>
                  <span className="bsb-number bsb:block">
                    {plan.plan_id === current
                      ? t("pricing.current")
                      : t(`price.${plan.interval}`, { price: money(plan.price_cents, plan.currency, locale, { exact: false }) })}
                  </span>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(({ feature }) => (
              <tr key={feature}>
                <th scope="row">
                  {texts.name(feature)}
                  {texts.description(feature) && <p className="bsb-2 bsb-tiny bsb-compare-about">{texts.description(feature)}</p>}
                </th>
                {columns.map(({ offer, plan }) => (
                  <td key={offer.key} className="bsb-number">
                    <Cell open={grants(plan.features[feature])} amount={texts.amount(plan.features[feature])} />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </ScrollArea>
    </section>
  );
}

function Cell({ open, amount }: { open: boolean; amount: string }) {
  const t = useT();
  if (open && amount) return amount;
  return (
    <>
      {open ? <Icon name="check" /> : <span className="bsb-2" aria-hidden="true">–</span>}
      <span className="bsb-hidden">{t(open ? "yes" : "no")}</span>
    </>
  );
}
