"use client";

import { useConfig } from "../queries.js";
import { useT } from "../text.js";

const LINKS = ["contact", "terms", "refunds", "privacy"] as const;

/** The seller's own pages, of these those that the stack was told of. */
export function SellerLinks({ only = LINKS }: { only?: readonly (typeof LINKS)[number][] }) {
  const t = useT();
  const links = useConfig().data?.links;
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
