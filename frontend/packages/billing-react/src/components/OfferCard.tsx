"use client";

import type { Schemas } from "@bitsleuth/billing-api-client";
import { useId } from "react";
import { grants, money, type Plan } from "../format.js";
import type { Translate } from "../i18n.js";
import { planAt, type Move, type Offer } from "../offers.js";
import { useBilling } from "../provider.js";
import { useFeatureTexts } from "../text-of-feature.js";
import { useOptionalText, useT } from "../text.js";
import { Button, ButtonLink } from "../ui/Button.js";
import { classes } from "../ui/classes.js";
import { Icon } from "../ui/Icon.js";

interface OfferCardProps {
  offer: Offer;
  plan: Plan;
  move: Move;
  featured: boolean;
  /** The next smaller offer: what it has too is said in one line. */
  below: Offer | undefined;
  features: readonly Schemas["FeatureInfo"][];
  accountUrl: string;
  /** Absent in a preview: the card has no button then. */
  onChoose?: () => void;
}

export function OfferCard({ offer, plan, move, featured, below, features, accountUrl, onChoose }: OfferCardProps) {
  const t = useT();
  const optional = useOptionalText();
  const id = useId();
  const current = move === "current";
  const tries = move === "buy" && plan.trial_days > 0;
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
        {description && <p className="bsb-2 bsb-small bsb:min-h-10">{description}</p>}
      </div>
      <Price plan={plan} tries={tries} />
      {onChoose && <Choose plan={plan} offer={offer} move={move} tries={tries} accountUrl={accountUrl} onChoose={onChoose} />}
      <FeatureList plan={plan} below={below && planAt(below, plan.interval)} belowName={below?.name} features={features} />
    </article>
  );
}

function Price({ plan, tries }: { plan: Plan; tries: boolean }) {
  const t = useT();
  const { locale } = useBilling();
  const price = money(plan.price_cents, plan.currency, locale, { exact: false });
  const yearly = plan.interval === "year";
  const perMonth = yearly ? Math.round(plan.price_cents / 12) : plan.price_cents;
  return (
    <div className="bsb-stack bsb:gap-1">
      <p className="bsb-row bsb:items-baseline bsb:gap-1.5">
        <span className="bsb-price">{money(perMonth, plan.currency, locale, { exact: false })}</span>
        <span className="bsb-2">{plan.interval === "once" ? t("price.per_once") : t("price.per_month")}</span>
      </p>
      <p className="bsb-2 bsb-small bsb:min-h-5">
        {tries ? t("price.after_trial", { count: plan.trial_days, price: t(`price.${plan.interval}`, { price }) }) : terms(plan, price, t)}
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

interface ChooseProps extends Pick<OfferCardProps, "plan" | "offer" | "move" | "accountUrl"> {
  tries: boolean;
  onChoose: () => void;
}

function Choose({ plan, offer, move, tries, accountUrl, onChoose }: ChooseProps) {
  const t = useT();
  if (move === "free") return <p className="bsb-2 bsb-small bsb:flex bsb:min-h-10 bsb:items-center">{t("pricing.free_included")}</p>;
  if (move === "current") {
    return plan.price_cents === 0 ? (
      <p className="bsb-2 bsb-small bsb:flex bsb:min-h-10 bsb:items-center">{t("pricing.free_now")}</p>
    ) : (
      <ButtonLink href={accountUrl}>{t("pricing.manage")}</ButtonLink>
    );
  }
  const label = tries
    ? t("pricing.try", { count: plan.trial_days })
    : t(`pricing.${move}`, { plan: offer.name, interval: t(`interval.${plan.interval}`) });
  const quiet = move === "downgrade" || plan.interval === "once";
  return (
    <Button variant={quiet ? "secondary" : "primary"} onClick={onChoose}>
      {label}
      {tries && <span className="bsb-hidden">: {offer.name}</span>}
    </Button>
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
