import type { CSSProperties } from "react";

/** Stands in for a line or a box of the same size while it loads. */
export function Skeleton({ width = "100%", height = "1em" }: { width?: string; height?: string }) {
  return <span className="bsb-skeleton" style={{ inlineSize: width, blockSize: height } as CSSProperties} aria-hidden="true" />;
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
