"use client";

import type { ReactNode } from "react";

/** A card whose table scrolls sideways on small screens, by touch and, once focused, by the arrow keys. */
export function ScrollArea({ labelledBy, children }: { labelledBy: string; children: ReactNode }) {
  return (
    // Whatever scrolls has to be reachable without a pointer, although there is nothing to operate.
    // eslint-disable-next-line jsx-a11y-x/no-noninteractive-tabindex
    <div className="bsb-card bsb-card-flush bsb-scroll" tabIndex={0} role="group" aria-labelledby={labelledBy}>
      {children}
    </div>
  );
}
