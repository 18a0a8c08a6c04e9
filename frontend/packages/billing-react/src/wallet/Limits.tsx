"use client";

import type { Schemas } from "@bitsleuth/billing-api-client";
import { useId } from "react";
import { date, number } from "../format.js";
import { useBilling } from "../provider.js";
import { Notice } from "../ui/Notice.js";
import type { Wallet } from "./queries.js";
import { useWalletT } from "./texts.js";

type Said = Schemas["SayOfConnection"];
type Period = NonNullable<Said["period"]>;

const PERIODS: readonly Period[] = ["monthly", "yearly", "weekly", "daily", "never"];
const SAT = "[1-9][0-9]{0,7}";

/** As it is typed: texts, "" for what is not known. */
export interface Limits {
  budget: string;
  period: Period;
  /** A day: 2027-12-31. */
  ends: string;
}

export const NO_LIMITS: Limits = { budget: "", period: "monthly", ends: "" };

export const limitsOf = ({ said }: Wallet): Limits => ({
  budget: said.budget_sat === null ? "" : String(said.budget_sat),
  period: said.budget_sat === null ? NO_LIMITS.period : (said.period as Period),
  ends: said.ends_at?.slice(0, 10) ?? "",
});

/** For the service; that day itself counts, in UTC as all of a wallet's times. */
export const saidOf = ({ budget, period, ends }: Limits): Said => ({
  budget_sat: budget.trim() === "" ? null : Number(budget),
  period: budget.trim() === "" ? "never" : period,
  ends_at: ends === "" ? null : Date.parse(`${ends}T23:59:59Z`) / 1000,
});

interface LimitFieldsProps {
  value: Limits;
  onChange: (value: Limits) => void;
  /** Its budget the wallet tells itself. */
  endAlone?: boolean;
}

/** What a wallet may spend for us and until when, as far as its owner knows. */
export function LimitFields({ value, onChange, endAlone = false }: LimitFieldsProps) {
  const t = useWalletT();
  const id = useId();
  return (
    <div className="bsb-stack bsb:gap-3">
      {!endAlone && (
        <div className="bsb-row bsb:items-end">
          <div className="bsb-field">
            <label className="bsb-label" htmlFor={`${id}-budget`}>
              {t("wallet.said_budget")}
            </label>
            <input
              id={`${id}-budget`}
              className="bsb-input bsb:max-w-48"
              inputMode="numeric"
              pattern={SAT}
              value={value.budget}
              onChange={(event) => onChange({ ...value, budget: event.target.value })}
            />
          </div>
          <div className="bsb-field">
            <label className="bsb-label" htmlFor={`${id}-period`}>
              {t("wallet.said_period")}
            </label>
            <select
              id={`${id}-period`}
              className="bsb-input bsb:max-w-48"
              value={value.period}
              onChange={(event) => onChange({ ...value, period: event.target.value as Period })}
            >
              {PERIODS.map((period) => (
                <option key={period} value={period}>
                  {t(`wallet.period.${period}`)}
                </option>
              ))}
            </select>
          </div>
        </div>
      )}
      <div className="bsb-field">
        <label className="bsb-label" htmlFor={`${id}-ends`}>
          {t("wallet.said_ends")}
        </label>
        <input
          id={`${id}-ends`}
          className="bsb-input bsb:max-w-48"
          type="date"
          value={value.ends}
          onChange={(event) => onChange({ ...value, ends: event.target.value })}
        />
      </div>
    </div>
  );
}

/** What was said, in words; and what will come of it, where that stands in the way of the next renewal. */
export function SaidLimits({ wallet }: { wallet: Wallet }) {
  const t = useWalletT();
  const { locale } = useBilling();
  const { said, foreseen } = wallet;
  const lines = [
    said.budget_sat !== null &&
      t(said.period === "never" ? "wallet.said_once" : "wallet.said_line", {
        sat: number(said.budget_sat, locale),
        period: t(`wallet.period.${said.period as Period}`),
      }),
    said.ends_at !== null && t("wallet.said_until", { date: date(said.ends_at, locale) }),
  ].filter(Boolean);
  return (
    <>
      {lines.length > 0 && <p className="bsb-small bsb-2">{lines.join(" ")}</p>}
      {foreseen && <Notice tone="warn">{t(`wallet.foreseen.${foreseen}`)}</Notice>}
    </>
  );
}
