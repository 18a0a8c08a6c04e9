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
