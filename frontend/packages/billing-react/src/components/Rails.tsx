"use client";

import { useState } from "react";
import type { Plan } from "../format.js";
import { useProviders, type RailQuote } from "../queries.js";
import { useT } from "../text.js";
import { Icon } from "../ui/Icon.js";

type Way = Pick<RailQuote, "rail" | "provider">;

interface RailsProps<W extends Way> {
  /** What is paid each time; `once` where nothing is paid again. */
  interval: Plan["interval"];
  rails: readonly W[];
  value: W;
  onChange: (rail: W) => void;
}

/** Card or bitcoin, with what each means in plain words; of several providers of one rail, which. */
export function Rails<W extends Way>({ interval, rails, value, onChange }: RailsProps<W>) {
  const t = useT();
  const { titleOf } = useProviders();
  // The one that was chosen last on each rail comes back with it.
  const [last, setLast] = useState<Partial<Record<Way["rail"], string>>>({});
  const kinds = [...new Set(rails.map(({ rail }) => rail))];
  const of = (kind: Way["rail"]) => rails.filter(({ rail }) => rail === kind);
  const choose = (rail: W | undefined) => {
    if (!rail) return;
    setLast({ ...last, [rail.rail]: rail.provider });
    onChange(rail);
  };
  const consequence = (kind: Way["rail"]) => {
    if (interval === "once") return kind === "bitcoin" ? "rail.bitcoin_once" : "rail.card_once";
    return kind === "bitcoin" ? "rail.bitcoin_term" : "rail.card_renews";
  };
  return (
    <fieldset className="bsb-stack bsb:gap-2">
      <legend className="bsb-label bsb:mb-2">{t("purchase.pay_with")}</legend>
      {kinds.map((kind) => (
        <div key={kind} className="bsb-stack bsb:gap-2">
          <label className="bsb-choice">
            <input
              type="radio"
              name="bsb-rail"
              checked={kind === value.rail}
              onChange={() => choose(of(kind).find(({ provider }) => provider === last[kind]) ?? of(kind)[0])}
            />
            <span className="bsb:grow">
              <span className="bsb:font-medium">{t(`rail.${kind}`)}</span>
              <span className="bsb-2 bsb-small bsb:block">{t(consequence(kind), { interval: t(`interval.${interval}`) })}</span>
            </span>
            <Icon name={kind} size={20} />
          </label>
          {kind === value.rail && of(kind).length > 1 && (
            <fieldset className="bsb-row bsb:ps-8">
              <legend className="bsb-hidden">{t("rail.through")}</legend>
              {of(kind).map((rail) => (
                <label key={rail.provider} className="bsb-check bsb-small">
                  <input
                    type="radio"
                    name="bsb-provider"
                    checked={rail.provider === value.provider}
                    onChange={() => choose(rail)}
                  />
                  <span>{titleOf(rail.provider)}</span>
                </label>
              ))}
            </fieldset>
          )}
        </div>
      ))}
    </fieldset>
  );
}
