import { translator, type Translate } from "@bitsleuth/billing-react";
import { useContext, useMemo } from "react";
import { TextsContext } from "../text.js";
import { de } from "./messages/de.js";
import { en, type AdminKey } from "./messages/en.js";
import { es } from "./messages/es.js";

const CATALOGUES = { en, de, es };

/** Texts of the admin pages; they travel with the admin chunk. */
export function useAdminText(): Translate<AdminKey> {
  const { language } = useContext(TextsContext);
  return useMemo(() => translator<AdminKey>(language, CATALOGUES[language], en), [language]);
}

/** A text that may or may not be there, such as of a code that came with an answer. */
export function useAdminOptional(): (kind: string, name: string) => string | undefined {
  const t = useAdminText();
  return (kind, name) => {
    const key = kind ? `${kind}.${name}` : name;
    return key in en ? t(key as AdminKey) : undefined;
  };
}
