import { Chart } from "./Chart.js";
import { ticks } from "./scale.js";

export interface Series {
  name: string;
  /** CSS class that colours it. */
  tone: string;
  /** One value per label; negative ones hang below zero. */
  values: readonly number[];
}

interface StackedBarsProps {
  labels: readonly string[];
  /** What each bar stands for in full: the period that begins at its label. */
  periods: readonly string[];
  series: readonly Series[];
  format: (value: number) => string;
  exact: (value: number) => string;
  summary: string;
}

/** Gains stacked above zero, losses below: what moved a total, period by period. */
export function StackedBars({ labels, periods, series, format, exact, summary }: StackedBarsProps) {
  const sums = labels.map((_, i) => series.map((s) => s.values[i] ?? 0));
  const above = sums.map((values) => values.reduce((sum, value) => sum + Math.max(0, value), 0));
  const below = sums.map((values) => values.reduce((sum, value) => sum + Math.min(0, value), 0));
  const marks = ticks(Math.min(0, ...below), Math.max(100, ...above));
  const readAt = (i: number) => {
    const moved = series.filter((s) => (s.values[i] ?? 0) !== 0);
    return [periods[i] ?? "", ...moved.map((s) => `${s.name} ${exact(s.values[i] ?? 0)}`)];
  };
  return (
    <div className="bsb-stack bsb:gap-3">
      <Chart {...{ labels, marks, format, summary, readAt }} slots>
        {({ x, y, frame }, pointed) => {
          const slot = (frame.width - frame.left - frame.right) / Math.max(1, labels.length);
          const width = Math.min(36, slot * 0.7);
          return (
            <>
              {pointed !== null && (
                <rect className="chart-slot" x={x(pointed) - slot / 2} width={slot} y={frame.top} height={frame.height - frame.top - frame.bottom} />
              )}
              {labels.map((_, i) => (
                <Bar key={i} x={x(i) - width / 2} width={width} values={series.map((s) => [s.tone, s.values[i] ?? 0])} y={y} />
              ))}
            </>
          );
        }}
      </Chart>
      <ul className="bsb-row bsb:gap-4" aria-hidden="true">
        {series.map(({ name, tone }) => (
          <li key={name} className="bsb-row bsb-tiny bsb-2 bsb:gap-1.5">
            <svg className="chart-key" viewBox="0 0 10 10">
              <rect className={tone} width="10" height="10" rx="2" />
            </svg>
            {name}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Bar({ x, width, values, y }: { x: number; width: number; values: readonly (readonly [string, number])[]; y: (value: number) => number }) {
  let up = 0;
  let down = 0;
  return values.map(([tone, value]) => {
    if (value === 0) return null;
    const from = value > 0 ? up : down;
    if (value > 0) up += value;
    else down += value;
    const [top, bottom] = [y(Math.max(from, from + value)), y(Math.min(from, from + value))];
    return <rect key={tone} className={tone} x={x} width={width} y={top} height={Math.max(1, bottom - top)} rx="1.5" />;
  });
}
