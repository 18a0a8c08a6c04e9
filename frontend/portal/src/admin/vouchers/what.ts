import { usePlans } from "@bitsleuth/billing-react";
import type { Batch } from "./queries.js";
import { useVouchersText } from "./texts.js";

/** What a batch gives, in words. */
export function useWhat(): (batch: Batch) => string {
  const t = useVouchersText();
  const catalogueFeatures = usePlans().data?.features ?? [];
  return (batch) => {
    if (batch.plan_name !== null) return t(`of.${batch.interval}`, { plan: batch.plan_name, count: batch.intervals });
    return Object.entries(batch.features)
      .map(([feature, value]) => {
        const count = typeof value === "object" && value !== null && "credits" in value ? Number(value.credits) : 1;
        return t("of.credits", { count, feature: catalogueFeatures.find((info) => info.feature === feature)?.name ?? feature });
      })
      .join(", ");
  };
}
