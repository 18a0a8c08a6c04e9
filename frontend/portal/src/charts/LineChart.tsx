import { Chart } from "./Chart.js";
import { ticks } from "./scale.js";

export interface Point {
  label: string;
  value: number;
}

interface LineChartProps {
  points: readonly Point[];
  /** Value to the text beside its line, and to what is read at a point. */
  format: (value: number) => string;
  exact: (value: number) => string;
  summary: string;
}

/** A value over time, from zero up. */
export function LineChart({ points, format, exact, summary }: LineChartProps) {
  const marks = ticks(0, Math.max(100, ...points.map((point) => point.value)));
  const labels = points.map((point) => point.label);
  const readAt = (i: number) => [labels[i] ?? "", exact(points[i]?.value ?? 0)];
  return (
    <Chart {...{ labels, marks, format, summary, readAt }} slots={false}>
      {({ x, y, frame }, pointed) => {
        const line = points.map((point, i) => `${x(i).toFixed(1)},${y(point.value).toFixed(1)}`).join(" ");
        const floor = y(marks[0] ?? 0);
        const marked = pointed ?? points.length - 1;
        const at = points[marked];
        return (
          <>
            {points.length > 0 && <polygon className="chart-area" points={`${x(0)},${floor} ${line} ${x(points.length - 1)},${floor}`} />}
            <polyline className="chart-line" points={line} />
            {pointed !== null && <line className="chart-cursor" x1={x(pointed)} x2={x(pointed)} y1={frame.top} y2={floor} />}
            {at && <circle className="chart-dot" cx={x(marked)} cy={y(at.value)} r="4" />}
          </>
        );
      }}
    </Chart>
  );
}
