"use client";

import { date, money, type Plan } from "../format.js";
import { useBilling } from "../provider.js";
import type { RailQuote } from "../queries.js";
import { usePlanName, useT } from "../text.js";
import { Notice } from "../ui/Notice.js";

/** What a plan costs by one rail, as the service quotes it: today, next, and how far it reaches. */
export function Terms({ plan, quote }: { plan: Plan; quote: RailQuote }) {
  const t = useT();
  const { locale } = useBilling();
  const amount = (cents: number) => money(cents, quote.currency, locale);
  const free = quote.trial_days > 0 && quote.due_now_cents === 0;
  const until = quote.access_until && date(quote.access_until, locale);
  return (
    <dl className="bsb-facts">
      <dt>{t(`purchase.price_${plan.interval}`)}</dt>
      <dd>{amount(quote.price_cents)}</dd>
      {free && (
        <>
          <dt>{t("purchase.trial", { count: quote.trial_days })}</dt>
          <dd>−{amount(quote.price_cents)}</dd>
        </>
      )}
      <dt className="bsb-facts-total">{t("purchase.due_today")}</dt>
      <dd className="bsb-facts-total">{amount(quote.due_now_cents)}</dd>
      {free && (
        <>
          <dt>{t("purchase.first_charge", { date: date(quote.first_charge_at, locale) })}</dt>
          <dd>{amount(quote.price_cents)}</dd>
        </>
      )}
      {!free && quote.renews && until && (
        <>
          <dt>{t("purchase.next_charge", { date: until })}</dt>
          <dd>{amount(quote.price_cents)}</dd>
        </>
      )}
      {!quote.renews && (
        <>
          <dt>{t("purchase.runs")}</dt>
          <dd>
            {!until
              ? t("purchases.for_good")
              : quote.waits
                ? t("purchase.from_until", { from: date(quote.starts_at, locale), until })
                : t("purchases.until", { date: until })}
          </dd>
        </>
      )}
      {!free && quote.trial_days > 0 && (
        <>
          <dt>{t("purchase.trial", { count: quote.trial_days })}</dt>
          <dd>+{t("purchase.days", { count: quote.trial_days })}</dd>
        </>
      )}
    </dl>
  );
}

interface OverlapProps {
  overlap: NonNullable<RailQuote["overlap"]>;
  agreed: boolean;
  onAgree: (agreed: boolean) => void;
}

/** Card and bitcoin would be paid side by side: allowed, but not unawares. */
export function Overlap({ overlap, agreed, onAgree }: OverlapProps) {
  const t = useT();
  const { locale } = useBilling();
  const named = usePlanName();
  const values = {
    plan: named(overlap),
    price: money(overlap.price_cents, overlap.currency, locale),
    date: overlap.ends_at ? date(overlap.ends_at, locale) : "",
  };
  const paid = overlap.kind === "owned" ? (overlap.ends_at ? "overlap_owned_until" : "overlap_owned") : "overlap_prepaid";
  const key = overlap.kind !== "card" ? paid : overlap.renews ? "overlap_card" : "overlap_card_ends";
  return (
    <>
      <Notice tone="warn" live title={t("purchase.overlap")}>
        {t(`purchase.${key}`, values)}
      </Notice>
      <label className="bsb-check">
        <input type="checkbox" checked={agreed} onChange={(event) => onAgree(event.target.checked)} />
        <span>{t("purchase.overlap_agree")}</span>
      </label>
    </>
  );
}
