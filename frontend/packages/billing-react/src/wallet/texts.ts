"use client";

import { useMemo } from "react";
import { translator, type Message, type Translate } from "../i18n.js";
import { useBilling } from "../provider.js";
import { de } from "./texts.de.js";
import { en } from "./texts.en.js";
import { es } from "./texts.es.js";

export type WalletKey = keyof typeof en;
export type WalletTexts = Readonly<Record<WalletKey, Message>>;

const BY_LANGUAGE: Readonly<Record<string, WalletTexts>> = { de, en, es };

/** The texts of wallets that renew: they come with the components that few need, not with everybody's page. */
export function useWalletT(): Translate<WalletKey> {
  const { locale, messages } = useBilling();
  return useMemo(
    () => translator<WalletKey>(locale, messages as Partial<WalletTexts>, BY_LANGUAGE[locale.slice(0, 2)] ?? en, en),
    [locale, messages],
  );
}
