import { Button } from "@bitsleuth/billing-react";
import { useState } from "react";
import { navigate } from "../router.js";
import { useAdminText } from "./text.js";

const DAY = 86_400_000;
const CHOICES = ["30", "90", "365", "month", "last_month", "year", "own"] as const;
type Choice = (typeof CHOICES)[number];

interface Days {
  from: string;
  to: string;
}

const iso = (time: number) => new Date(time).toISOString().slice(0, 10);
const isDay = (text: string | null): text is string => text !== null && !Number.isNaN(Date.parse(text)) && iso(Date.parse(text)) === text;

/** The days that the address asks for: a named range, or its own two ends. All in UTC, as the books are. */
export function daysOf(asked: { range: string | null; from: string | null; to: string | null }, now: number): Days & { choice: Choice } {
  const choice = CHOICES.find((one) => one === asked.range) ?? "30";
  const at = new Date(now);
  const first = (months: number) => Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + months, 1);
  if (choice === "own" && isDay(asked.from) && isDay(asked.to) && asked.from <= asked.to) return { choice, from: asked.from, to: asked.to };
  if (choice === "month") return { choice, from: iso(first(0)), to: iso(now) };
  if (choice === "last_month") return { choice, from: iso(first(-1)), to: iso(first(0) - DAY) };
  if (choice === "year") return { choice, from: iso(first(-11)), to: iso(now) };
  const days = choice === "own" ? 30 : Number(choice);
  return { choice, from: iso(now - (days - 1) * DAY), to: iso(now) };
}

interface RangeChoiceProps {
  days: Days & { choice: Choice };
  now: number;
}

/** Which days the figures are of: a choice of usual ranges, or two days of one's own. */
export function RangeChoice({ days, now }: RangeChoiceProps) {
  const t = useAdminText();
  const [own, setOwn] = useState<Days | null>(days.choice === "own" ? days : null);
  const go = (changes: Record<string, string>) => {
    const url = new URL(location.href);
    for (const name of ["range", "from", "to"]) url.searchParams.delete(name);
    for (const [name, value] of Object.entries(changes)) url.searchParams.set(name, value);
    navigate(url.pathname + url.search, { replace: true });
  };
  return (
    <>
      <select
        className="bsb-input bsb:w-auto"
        aria-label={t("range")}
        value={own ? "own" : days.choice}
        onChange={(event) => {
          if (event.target.value === "own") setOwn({ from: days.from, to: days.to });
          else {
            setOwn(null);
            go({ range: event.target.value });
          }
        }}
      >
        {CHOICES.map((choice) => (
          <option key={choice} value={choice}>
            {choice === "30" || choice === "90" || choice === "365" ? t("range.days", { count: Number(choice) }) : t(`range.${choice}`)}
          </option>
        ))}
      </select>
      {own && (
        <form
          className="bsb-row"
          onSubmit={(event) => {
            event.preventDefault();
            go({ range: "own", ...own });
          }}
        >
          <input className="bsb-input bsb:w-auto" type="date" required aria-label={t("range.from")} max={own.to} value={own.from} onChange={(event) => setOwn({ ...own, from: event.target.value })} />
          <input className="bsb-input bsb:w-auto" type="date" required aria-label={t("range.to")} min={own.from} max={iso(now)} value={own.to} onChange={(event) => setOwn({ ...own, to: event.target.value })} />
          <Button type="submit">{t("range.show")}</Button>
        </form>
      )}
    </>
  );
}
