import { translator, type Translate } from "@bitsleuth/billing-react";
import { useContext, useMemo } from "react";
import { TextsContext } from "../text.js";
import { de } from "./messages/de.js";
import { en, type AdminKey } from "./messages/en.js";

/** Texts of the admin pages: English and German; they travel with the admin chunk. */
export function useAdminText(): Translate<AdminKey> {
  const { language } = useContext(TextsContext);
  return useMemo(() => translator<AdminKey>(language, language === "de" ? de : {}, en), [language]);
}
