import type { Schemas } from "@bitsleuth/billing-api-client";
import { usePlans } from "../queries.js";
import { useVoucherText } from "./texts.js";

interface Gives {
  plan_name: string | null;
  interval: "month" | "year" | "once";
  intervals?: number;
  features?: Schemas["VoucherView"]["features"];
}

/** "Pro for 3 months", "50 × AI chat": what a voucher gives, in words. */
export function useWhat(): (of: Gives) => string {
  const t = useVoucherText();
  const catalogueFeatures = usePlans().data?.features ?? [];
  return ({ plan_name, interval, intervals = 1, features = {} }) => {
    if (plan_name !== null) return t(`what.${interval}`, { plan: plan_name, count: intervals });
    return Object.entries(features)
      .map(([feature, value]) => {
        const count = typeof value === "object" && value !== null && "credits" in value ? Number(value.credits) : 1;
        return t("what.credits", { count, feature: catalogueFeatures.find((info) => info.feature === feature)?.name ?? feature });
      })
      .join(", ");
  };
}
