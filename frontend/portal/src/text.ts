import { translator, type Translate } from "@bitsleuth/billing-react";
import { createContext, useContext, useMemo } from "react";
import type { Texts } from "./language.js";
import { en, type PortalKey } from "./messages/en.js";

export const TextsContext = createContext<Texts>({ language: "en", billing: {}, portal: en });

/** The portal's own texts; English where the catalogue has none. */
export function usePortalText(): Translate<PortalKey> {
  const { language, portal } = useContext(TextsContext);
  return useMemo(() => translator<PortalKey>(language, portal, en), [language, portal]);
}
