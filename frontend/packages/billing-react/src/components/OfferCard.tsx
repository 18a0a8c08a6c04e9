"use client";

import type { Schemas } from "@bitsleuth/billing-api-client";
import { useId, type CSSProperties } from "react";
import { grants, money, type Plan } from "../format.js";
import type { Translate } from "../i18n.js";
import { planAt, type Offer } from "../offers.js";
import { useBilling } from "../provider.js";
import type { Quote } from "../queries.js";
import { useFeatureTexts } from "../text-of-feature.js";
import { useOptionalText, useT } from "../text.js";
import { Button, ButtonLink } from "../ui/Button.js";
import { classes } from "../ui/classes.js";
import { Icon } from "../ui/Icon.js";
import { Skeleton } from "../ui/Skeleton.js";

interface OfferCardProps {
  offer: Pick<Offer, "key" | "name">;
  plan: Plan;
  /** What choosing it means; null while the service has not said. */
  quote: Quote | null;
  featured: boolean;
  /** The next smaller offer: what it has too is said in one line. */
  below: Offer | undefined;
  features: readonly Schemas["FeatureInfo"][];
  accountUrl: string;
  /** What paying for it yearly saves, in whole percent. */
  saving?: number;
  /** Absent in a preview: the card has no button then. */
  onChoose?: () => void;
}

export function OfferCard(props: OfferCardProps) {
  const { offer, plan, quote, featured, below, features, accountUrl, saving = 0, onChoose } = props;
  const t = useT();
  const optional = useOptionalText();
  const id = useId();
  const current = quote?.move === "current";
  const trial = trialOf(quote);
  const description = optional("plan.about", offer.key) ?? plan.description;
  return (
    <article
      className={classes("bsb-card bsb-offer", featured && "bsb-offer-featured")}
      aria-labelledby={id}
      aria-current={current || undefined}
    >
      <div className="bsb-stack bsb:gap-1">
        <div className="bsb-row bsb-between bsb:min-h-7">
          <h2 className="bsb-h2" id={id}>
            {offer.name}
          </h2>
          {current ? (
            <span className="bsb-badge bsb-badge-good">{t("pricing.current")}</span>
          ) : (
            featured && <span className="bsb-badge bsb-badge-accent">{t("pricing.featured")}</span>
          )}
        </div>
        {description && <p className="bsb-2 bsb-small">{description}</p>}
      </div>
      <Price plan={plan} trial={onChoose ? trial : plan.trial_days} saving={saving} />
      {onChoose &&
        (quote ? (
          <Choose plan={plan} offer={offer} quote={quote} trial={trial} accountUrl={accountUrl} onChoose={onChoose} />
        ) : (
          <Skeleton height="2.75rem" />
        ))}
      <FeatureList plan={plan} below={below && planAt(below, plan.interval)} belowName={below?.name} features={features} />
    </article>
  );
}

/** Days before the first charge by the rail that is offered first. */
function trialOf(quote: Quote | null): number {
  const [first] = quote?.rails ?? [];
  return quote?.move === "buy" && first?.due_now_cents === 0 ? first.trial_days : 0;
}

function Price({ plan, trial, saving }: { plan: Plan; trial: number; saving: number }) {
  const t = useT();
  const { locale } = useBilling();
  const price = money(plan.price_cents, plan.currency, locale, { exact: false });
  const yearly = plan.interval === "year";
  const perMonth = money(yearly ? Math.round(plan.price_cents / 12) : plan.price_cents, plan.currency, locale, { exact: false });
  return (
    <div className="bsb-pricing bsb-stack bsb:gap-1">
      <p className="bsb-row bsb:items-baseline bsb:gap-1.5">
        <span className="bsb-price" style={{ "--length": perMonth.length } as CSSProperties}>
          {perMonth}
        </span>
        <span className="bsb-2">{plan.interval === "once" ? t("price.per_once") : t("price.per_month")}</span>
      </p>
      <p className="bsb-2 bsb-small bsb:min-h-5">
        {trial > 0 ? t("price.after_trial", { count: trial, price: t(`price.${plan.interval}`, { price }) }) : terms(plan, price, t)}
        {yearly && saving > 0 && <span className="bsb-good">{t("price.saves", { percent: saving })}</span>}
      </p>
    </div>
  );
}

/** How the price is paid, or how long what is bought lasts. */
function terms(plan: Plan, price: string, t: Translate): string {
  if (plan.price_cents === 0) return t("price.free_forever");
  if (plan.interval === "year") return t("price.billed_yearly", { price });
  if (plan.interval === "month") return t("price.billed_monthly");
  return plan.duration_days ? t("price.lasts_days", { count: plan.duration_days }) : t("price.for_good");
}

interface ChooseProps extends Pick<OfferCardProps, "plan" | "offer" | "accountUrl"> {
  quote: Quote;
  trial: number;
  onChoose: () => void;
}

function Choose({ plan, offer, quote, trial, accountUrl, onChoose }: ChooseProps) {
  const t = useT();
  const { move } = quote;
  const said = (text: string) => <p className="bsb-2 bsb-small bsb:flex bsb:min-h-11 bsb:items-center">{text}</p>;
  if (move === "free") return said(t("pricing.free_included"));
  if (move === "owned") return said(t("pricing.owned"));
  if (move === "current") {
    return plan.price_cents === 0 ? said(t("pricing.free_now")) : <ButtonLink href={accountUrl}>{t("pricing.manage")}</ButtonLink>;
  }
  if (quote.blocked) {
    return (
      <div className="bsb-stack bsb:gap-1">
        <ButtonLink href={accountUrl}>{t("pricing.manage")}</ButtonLink>
        <p className="bsb-2 bsb-tiny">{t(`error.${quote.blocked}`)}</p>
      </div>
    );
  }
  const label =
    trial > 0
      ? t("pricing.try", { count: trial })
      : t(`pricing.${move}`, { plan: offer.name, interval: t(`interval.${plan.interval}`) });
  const quiet = move === "downgrade" || plan.interval === "once" || quote.included_in !== null;
  return (
    <div className="bsb-stack bsb:gap-1">
      <Button variant={quiet ? "secondary" : "primary"} onClick={onChoose}>
        {label}
        {trial > 0 && <span className="bsb-hidden">: {offer.name}</span>}
      </Button>
      {quote.included_in && <p className="bsb-2 bsb-small">{t("pricing.included_in", { plan: quote.included_in })}</p>}
    </div>
  );
}

/** What the plan grants; of what the smaller plan grants just the same, only its name. */
function FeatureList(props: {
  plan: Plan;
  below: Plan | undefined;
  belowName: string | undefined;
  features: readonly Schemas["FeatureInfo"][];
}) {
  const { plan, below, features } = props;
  const t = useT();
  const texts = useFeatureTexts(features);
  const inherits = below !== undefined && contains(plan, below);
  const keys = Object.keys(plan.features).filter(
    (key) => grants(plan.features[key]) && !(inherits && same(plan.features[key], below.features[key])),
  );
  return (
    <div className="bsb-stack bsb:gap-1">
      {inherits && <p className="bsb-small bsb:font-medium">{t("pricing.everything_in", { plan: props.belowName ?? below.name })}</p>}
      <ul className="bsb-features">
        {keys.map((key) => {
          const amount = texts.amount(plan.features[key]);
          return (
            <li key={key}>
              <Icon name="check" />
              <span>
                {texts.name(key)}
                {amount && <span className="bsb-2">: {amount}</span>}
              </span>
            </li>
          );
        })}
      </ul>
    </div>
  );
}

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
const contains = (plan: Plan, below: Plan) =>
  Object.keys(below.features).every((key) => !grants(below.features[key]) || grants(plan.features[key]));
