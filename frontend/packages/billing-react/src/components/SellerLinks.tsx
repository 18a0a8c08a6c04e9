"use client";

import { useConfig } from "../queries.js";
import { useT } from "../text.js";

const LINKS = ["contact", "terms", "refunds", "privacy"] as const;
/** What one agrees to by buying. */
export const AGREED = ["terms", "refunds", "privacy"] as const;

/** The seller's own pages, of these those that the stack was told of. */
export function SellerLinks({ only = LINKS }: { only?: readonly (typeof LINKS)[number][] }) {
  const t = useT();
  const config = useConfig();
  if (config.isError && !config.data) {
    return (
      <p className="bsb-small">
        {t("link.unknown")}{" "}
        <button type="button" className="bsb-link" onClick={() => void config.refetch()}>
          {t("retry")}
        </button>
      </p>
    );
  }
  const links = config.data?.links;
  const shown = only.flatMap((name) => (links?.[name] ? [{ name, href: links[name] }] : []));
  if (shown.length === 0) return null;
  return (
    <ul className="bsb-row bsb-small">
      {shown.map(({ name, href }) => (
        <li key={name}>
          <a href={href} target="_blank" rel="noreferrer">
            {t(`link.${name}`)}
          </a>
        </li>
      ))}
    </ul>
  );
}
