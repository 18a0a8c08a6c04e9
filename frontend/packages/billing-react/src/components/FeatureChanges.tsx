"use client";

import type { Schemas } from "@bitsleuth/billing-api-client";
import { limitOf } from "../format.js";
import { usePlans } from "../queries.js";
import { useFeatureTexts } from "../text-of-feature.js";
import { useT } from "../text.js";
import { Icon } from "../ui/Icon.js";

type Change = Schemas["FeatureChange"];

/** Each feature that changes, as it is and as it will be. */
export function FeatureChanges({ changes, title }: { changes: readonly Change[]; title: string }) {
  const t = useT();
  const texts = useFeatureTexts(usePlans().data?.features);
  if (changes.length === 0) return null;
  const side = (value: Change["before"]) => (value === null ? t("feature.none") : texts.amount(value) || t("feature.included"));
  return (
    <div className="bsb-stack bsb:gap-1">
      <p className="bsb-label">{title}</p>
      <ul className="bsb-changes">
        {changes.map((change) => (
          <li key={change.feature} data-loss={isLoss(change) || undefined}>
            <span>{texts.name(change.feature)}</span>
            <span className="bsb-number">
              <span className="bsb-2">{side(change.before)}</span> <Icon name="arrow" size={14} />
              <span className="bsb-hidden">{t("feature.becomes")}</span> {side(change.after)}
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}

function isLoss({ before, after }: Change): boolean {
  if (after === null || before === null) return after === null;
  return (limitOf(after) ?? 0) < (limitOf(before) ?? 0);
}
