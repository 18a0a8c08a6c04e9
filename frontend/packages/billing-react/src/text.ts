"use client";

import { ApiError } from "@bitsleuth/billing-api-client";
import { useMemo } from "react";
import { translator, type MessageKey, type Translate } from "./i18n.js";
import { en } from "./messages/en.js";
import { useBilling } from "./provider.js";
import { useProviders } from "./queries.js";
import { SignerRefused } from "./session.js";

/** The texts of the provider's catalogue; English where it has none. */
export function useT(): Translate {
  const { locale, messages } = useBilling();
  return useMemo(() => translator(locale, messages, en), [locale, messages]);
}

/** "Pro, monthly": a plan's name with its interval, where two plans share the name. */
export function usePlanName(): (plan: { plan_name: string; interval: "month" | "year" | "once" }) => string {
  const t = useT();
  return ({ plan_name, interval }) => t(`named.${interval}`, { plan: plan_name });
}

/** "Bitcoin", "Card": what one pays a provider with; its own name as long as that is not known. */
export function usePaidWith(): (provider: string) => string {
  const t = useT();
  const { titleOf, railOf } = useProviders();
  return (provider) => {
    const rail = railOf(provider);
    return rail ? t(`rail.${rail}`) : titleOf(provider);
  };
}

/** The catalogue's text for `prefix.name`; null when it has none, as for a plan or feature of one's own. */
export function useOptionalText(): (prefix: string, name: string) => string | null {
  const { messages } = useBilling();
  const t = useT();
  return (prefix, name) => {
    const key = `${prefix}.${name}`;
    return key in messages || key in en ? t(key as MessageKey) : null;
  };
}

/** What a failure means to the reader; the service's own words for a refusal we have no text for. */
export function errorText(error: unknown, t: Translate): string {
  if (error instanceof SignerRefused) return t("error.signer_refused");
  if (!(error instanceof ApiError)) return t("error.unexpected");
  const key = `error.${error.code}`;
  if (key in en) return t(key as MessageKey);
  if ([502, 503, 504].includes(error.status)) return t("error.unavailable");
  return error.status >= 500 ? t("error.unexpected") : error.message;
}
