import { useState, type PointerEvent, type ReactNode } from "react";
import { frameOf, labelled, vertical, type Frame } from "./scale.js";
import { useWidth } from "./useWidth.js";

export interface Plot {
  frame: Frame;
  /** Index of a label to its place from the left. */
  x: (i: number) => number;
  y: (value: number) => number;
}

interface ChartProps {
  labels: readonly string[];
  marks: readonly number[];
  /** Value to the text beside its line. */
  format: (value: number) => string;
  /** What a screen reader says for the whole drawing; the data is in the figure's table. */
  summary: string;
  /** What to read at a label, line by line, when the pointer is there; first of all where that is. */
  readAt: (i: number) => readonly string[];
  /** Whether labels stand at the ends of the axis (a line) or in slots between them (bars). */
  slots: boolean;
  children: (plot: Plot, pointed: number | null) => ReactNode;
}

/** Axes, grid and a reading that follows the pointer; drawn pixel by pixel for the width there is. */
export function Chart({ labels, marks, format, summary, readAt, slots, children }: ChartProps) {
  const [ref, width] = useWidth<HTMLDivElement>(640);
  const [pointed, setPointed] = useState<number | null>(null);
  const frame = frameOf(width);
  const inner = frame.width - frame.left - frame.right;
  const count = labels.length;
  const step = slots ? inner / Math.max(1, count) : inner / Math.max(1, count - 1);
  const x = (i: number) => frame.left + (slots ? (i + 0.5) * step : count > 1 ? i * step : inner / 2);
  const y = vertical(marks, frame);
  // About seven pixels for a letter; half as much again because the outermost labels are pushed inward.
  const written = labelled(count, inner, 10.5 * Math.max(...labels.map((label) => label.length), 1) + 20);
  const point = (event: PointerEvent<SVGSVGElement>) => {
    const from = event.clientX - event.currentTarget.getBoundingClientRect().left - frame.left;
    const nearest = slots ? Math.floor(from / step) : Math.round(from / step);
    setPointed(count > 0 ? Math.min(count - 1, Math.max(0, nearest)) : null);
  };
  return (
    <div ref={ref} className="chart-box">
      <svg
        className="chart"
        width={frame.width}
        height={frame.height}
        viewBox={`0 0 ${frame.width} ${frame.height}`}
        role="img"
        aria-label={summary}
        onPointerMove={point}
        onPointerLeave={() => setPointed(null)}
      >
        {marks.map((mark) => (
          <g key={mark}>
            <line className={mark === 0 ? "chart-zero" : "chart-grid"} x1={frame.left} x2={frame.width - frame.right} y1={y(mark)} y2={y(mark)} />
            <text x={frame.left - 8} y={y(mark) + 4} textAnchor="end">
              {format(mark)}
            </text>
          </g>
        ))}
        {children({ frame, x, y }, pointed)}
        {labels.map(
          (label, i) =>
            written.has(i) && (
              <text key={i} x={x(i)} y={frame.height - 6} textAnchor={anchor(x(i), frame)}>
                {label}
              </text>
            ),
        )}
      </svg>
      {pointed !== null && (
        <div className={x(pointed) > frame.width / 2 ? "chart-reading chart-reading-start" : "chart-reading"} aria-hidden="true">
          {readAt(pointed).map((line, i) => (
            <p key={i}>{line}</p>
          ))}
        </div>
      )}
    </div>
  );
}

/** The outermost labels stay inside the drawing. */
function anchor(x: number, frame: Frame): "start" | "middle" | "end" {
  if (x > frame.width - 32) return "end";
  return x < frame.left + 8 ? "start" : "middle";
}
