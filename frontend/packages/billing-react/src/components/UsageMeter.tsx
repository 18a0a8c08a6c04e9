"use client";

import type { Schemas } from "@bitsleuth/billing-api-client";
import { useId } from "react";
import { date, limitOf, number } from "../format.js";
import { useBilling } from "../provider.js";
import { usePlans } from "../queries.js";
import { useFeatureTexts } from "../text-of-feature.js";
import { useT } from "../text.js";

/** How much of an allowance is used, in words and as a bar, and when it starts again. */
export function UsageMeter({ entitlement }: { entitlement: Schemas["EntitlementView"] }) {
  const t = useT();
  const { locale } = useBilling();
  const id = useId();
  const texts = useFeatureTexts(usePlans().data?.features);
  const first = limitOf(entitlement.value);
  if (first === null || entitlement.remaining === null || entitlement.remaining === undefined) return null;
  const limit = (entitlement.also ?? []).reduce<number>((sum, value) => sum + (limitOf(value) ?? 0), first);
  // Bought credits can leave more than the allowance of the period.
  const total = Math.max(limit, entitlement.remaining);
  const used = total - entitlement.remaining;
  const level = entitlement.remaining === 0 ? "full" : used >= total * 0.8 ? "high" : "normal";
  return (
    <div className="bsb bsb-stack bsb:gap-2">
      <div className="bsb-row bsb-between bsb-small">
        <span className="bsb:font-medium" id={id}>
          {texts.name(entitlement.feature)}
        </span>
        <span className="bsb-2 bsb-number">
          {t("usage.used", { used: number(used, locale), limit: number(total, locale) })}
        </span>
      </div>
      <progress className="bsb-meter" data-level={level} aria-labelledby={id} value={used} max={total} />
      <p className="bsb-2 bsb-tiny">
        {level === "full" && `${t("usage.full")} `}
        {level === "high" && `${t("usage.high")} `}
        {entitlement.resets_at && t("usage.resets", { date: date(entitlement.resets_at, locale) })}
      </p>
    </div>
  );
}
