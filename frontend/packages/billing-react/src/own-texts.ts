import { useMemo } from "react";
import { translator, type Message, type Translate } from "./i18n.js";
import { useBilling } from "./provider.js";

const LANGUAGES = ["en", "de", "es"] as const;
export type Language = (typeof LANGUAGES)[number];

/** The language of the page, as far as there are texts in it. */
export function useLanguage(): Language {
  const { locale } = useBilling();
  const wanted = locale.split("-")[0];
  return LANGUAGES.find((language) => language === wanted) ?? "en";
}

/** Texts that travel with what shows them, so that nobody loads them who does not see it. */
export function useOwnTexts<Key extends string>(
  texts: Readonly<Record<Language, Readonly<Record<Key, Message>>>>,
): Translate<Key> {
  const { locale } = useBilling();
  const language = useLanguage();
  return useMemo(() => translator<Key>(locale, texts[language]), [locale, language, texts]);
}
