import type { Messages } from "@bitsleuth/billing-react";
import { useEffect, useRef, useState } from "react";
import { en, type PortalMessages } from "./messages/en.js";

export const LANGUAGES = { en: "English", de: "Deutsch", es: "Español" } as const;
export type Language = keyof typeof LANGUAGES;

export interface Texts {
  language: Language;
  billing: Partial<Messages>;
  portal: Partial<PortalMessages>;
}

const KEY = "bitsleuth-language";
const ENGLISH: Texts = { language: "en", billing: {}, portal: en };

const CATALOGUES: Record<Exclude<Language, "en">, () => Promise<Texts>> = {
  de: async () => {
    const [billing, portal] = await Promise.all([import("@bitsleuth/billing-react/messages/de"), import("./messages/de.js")]);
    return { language: "de", billing: billing.de, portal: portal.de };
  },
  es: async () => {
    const [billing, portal] = await Promise.all([import("@bitsleuth/billing-react/messages/es"), import("./messages/es.js")]);
    return { language: "es", billing: billing.es, portal: portal.es };
  },
};

/** The chosen language, else the browser's first that we have. */
export function preferredLanguage(): Language {
  const wanted = [localStorage.getItem(KEY) ?? "", ...navigator.languages].map((tag) => tag.slice(0, 2));
  return (wanted.find((tag) => tag in LANGUAGES) as Language | undefined) ?? "en";
}

/** English is at hand; so it is what remains when another catalogue cannot be loaded. */
export const loadTexts = (language: Language): Promise<Texts> =>
  language === "en" ? Promise.resolve(ENGLISH) : CATALOGUES[language]().catch(() => ENGLISH);

export function useTexts(initial: Texts): [Texts, (language: Language) => void] {
  const [texts, setTexts] = useState(initial);
  useEffect(() => void (document.documentElement.lang = texts.language), [texts]);
  const wanted = useRef(initial.language);
  const choose = (language: Language) => {
    wanted.current = language;
    localStorage.setItem(KEY, language);
    // Of two choices in quick succession the later one counts, whichever is loaded first.
    void loadTexts(language).then((loaded) => wanted.current === language && setTexts(loaded));
  };
  return [texts, choose];
}
