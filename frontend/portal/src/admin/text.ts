import { translator, type Message, type Translate } from "@bitsleuth/billing-react";
import { use, useContext, useMemo } from "react";
import type { Language } from "../language.js";
import { TextsContext } from "../text.js";
import { en, type AdminKey } from "./messages/en.js";

type Catalogue = Readonly<Partial<Record<AdminKey, Message>>>;

// English travels with the admin pages, for what a catalogue lacks; another language is fetched by whoever reads it.
const fetchers: Record<Language, () => Promise<Catalogue>> = {
  en: () => Promise.resolve(en),
  de: () => import("./messages/de.js").then(({ de }) => de),
  es: () => import("./messages/es.js").then(({ es }) => es),
};
// A promise with a `status` is one that React need not wait for.
const coming: Partial<Record<Language, Promise<Catalogue>>> = {
  en: Object.assign(Promise.resolve(en), { status: "fulfilled", value: en }),
};

/** One that could not be fetched is English, until the page is loaded again. */
function fetched(language: Language): Promise<Catalogue> {
  return (coming[language] ??= fetchers[language]().catch(() => en));
}

/** Texts of the admin pages. */
export function useAdminText(): Translate<AdminKey> {
  const { language } = useContext(TextsContext);
  // Always asked for in the same way: a component that waited is rendered again, and must do then what it did before.
  const catalogue = use(fetched(language));
  return useMemo(() => translator<AdminKey>(language, catalogue, en), [language, catalogue]);
}

/** A text that may or may not be there, such as of a code that came with an answer. */
export function useAdminOptional(): (kind: string, name: string) => string | undefined {
  const t = useAdminText();
  return (kind, name) => {
    const key = kind ? `${kind}.${name}` : name;
    return key in en ? t(key as AdminKey) : undefined;
  };
}
