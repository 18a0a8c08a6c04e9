"use client";

import { useT } from "../text.js";

/**
 * Stands in for a line or a box of the same size while it loads. A picture, because it takes its size from attributes: a
 * host that renders this on its server may forbid inline styles.
 */
export function Skeleton({ width = "100%", height = "1em" }: { width?: string; height?: string }) {
  return <svg className="bsb-skeleton" width={width} height={height} aria-hidden="true" />;
}

export function SkeletonLines({ lines }: { lines: number }) {
  return (
    <div className="bsb-stack bsb:gap-3">
      {Array.from({ length: lines }, (_, line) => (
        <Skeleton key={line} width={line % 3 === 2 ? "60%" : "100%"} height="1.125rem" />
      ))}
    </div>
  );
}

interface SkeletonCardProps {
  lines?: number;
  /** Of a drawing or table under the lines; any CSS length. */
  height?: string;
  /** Whether the card has a heading. */
  heading?: boolean;
}

/** A card that is not there yet, with what will be in it. */
export function SkeletonCard({ lines = 0, height, heading = false }: SkeletonCardProps) {
  const t = useT();
  return (
    <div className="bsb-card bsb-stack" aria-busy="true">
      <span className="bsb-hidden" role="status">
        {t("loading")}
      </span>
      {heading && <Skeleton width="9rem" height="1.5rem" />}
      {lines > 0 && <SkeletonLines lines={lines} />}
      {height && <Skeleton height={height} />}
    </div>
  );
}
