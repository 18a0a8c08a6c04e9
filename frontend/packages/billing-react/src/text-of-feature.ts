"use client";

import type { Schemas } from "@bitsleuth/billing-api-client";
import { limitOf, number, type FeatureValue } from "./format.js";
import type { Translate } from "./i18n.js";
import { useBilling } from "./provider.js";
import { useOptionalText, useT } from "./text.js";

export type FeatureInfo = Schemas["FeatureInfo"];

export interface FeatureTexts {
  name(feature: string): string;
  description(feature: string): string;
  /** "200 questions per month", "5 wallets"; empty for a plain switch. */
  amount(value: FeatureValue | undefined): string;
}

/** Names of features from the catalogue of texts, else as the API tells them, else the key itself. */
export function useFeatureTexts(features: readonly FeatureInfo[] | undefined): FeatureTexts {
  const t = useT();
  const optional = useOptionalText();
  const { locale } = useBilling();
  const info = (key: string) => features?.find((feature) => feature.feature === key);
  return {
    name: (key) => optional("feature", key) ?? info(key)?.name ?? key,
    description: (key) => optional("feature.about", key) ?? info(key)?.description ?? "",
    amount(value) {
      const limit = limitOf(value);
      if (limit === null) return "";
      return per(value, number(limit, locale), t);
    },
  };
}

function per(value: FeatureValue | undefined, count: string, t: Translate): string {
  if (typeof value !== "object") return count;
  if ("credits" in value) return t("feature.credits", { n: count });
  return value.per === "billing_period" ? t("feature.per_period", { n: count }) : t("feature.per_month", { n: count });
}
