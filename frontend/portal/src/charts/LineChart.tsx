import { FRAME, ticks, vertical } from "./scale.js";

export interface Point {
  label: string;
  value: number;
}

interface LineChartProps {
  points: readonly Point[];
  /** Value to the text beside its line. */
  format: (value: number) => string;
  /** What a screen reader says for the whole drawing; the data is in the figure's table. */
  summary: string;
}

/** A value over time, from zero up. */
export function LineChart({ points, format, summary }: LineChartProps) {
  const marks = ticks(0, Math.max(100, ...points.map((point) => point.value)));
  const y = vertical(marks, FRAME);
  const width = FRAME.width - FRAME.left - FRAME.right;
  const x = (i: number) => FRAME.left + (points.length > 1 ? (i / (points.length - 1)) * width : width / 2);
  const line = points.map((point, i) => `${x(i).toFixed(1)},${y(point.value).toFixed(1)}`).join(" ");
  const floor = y(marks[0] ?? 0);
  return (
    <svg className="chart" viewBox={`0 0 ${FRAME.width} ${FRAME.height}`} role="img" aria-label={summary}>
      <Grid marks={marks} y={y} format={format} />
      {points.length > 0 && <polygon className="chart-area" points={`${x(0)},${floor} ${line} ${x(points.length - 1)},${floor}`} />}
      <polyline className="chart-line" points={line} />
      <Labels labels={points.map((point) => point.label)} x={x} />
    </svg>
  );
}

export function Grid({ marks, y, format }: { marks: readonly number[]; y: (value: number) => number; format: (value: number) => string }) {
  return marks.map((mark) => (
    <g key={mark}>
      <line className="chart-grid" x1={FRAME.left} x2={FRAME.width - FRAME.right} y1={y(mark)} y2={y(mark)} />
      <text x={FRAME.left - 8} y={y(mark) + 4} textAnchor="end">
        {format(mark)}
      </text>
    </g>
  ));
}

/** The first, the last and a few between, so that they never overlap. */
export function Labels({ labels, x }: { labels: readonly string[]; x: (i: number) => number }) {
  const step = Math.max(1, Math.ceil(labels.length / 6));
  return labels.map(
    (label, i) =>
      i % step === 0 && (
        <text key={label} x={x(i)} y={FRAME.height - 6} textAnchor={i === 0 ? "start" : "middle"}>
          {label}
        </text>
      ),
  );
}
