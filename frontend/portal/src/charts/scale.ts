/** Round numbers that span `low`..`high` in about `count` steps, for the lines of a chart. */
export function ticks(low: number, high: number, count = 4): number[] {
  const span = high - low || 1;
  const magnitude = 10 ** Math.floor(Math.log10(span / count));
  const step = [1, 2, 5, 10].map((factor) => factor * magnitude).find((size) => span / size <= count) ?? 10 * magnitude;
  const first = Math.floor(low / step);
  const last = Math.ceil(high / step);
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}

export interface Frame {
  width: number;
  height: number;
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export const FRAME: Frame = { width: 640, height: 220, left: 56, top: 10, right: 8, bottom: 24 };

/** Value to y: the lowest tick at the bottom of the frame, the highest at its top. */
export function vertical(marks: readonly number[], frame: Frame): (value: number) => number {
  const low = marks[0] ?? 0;
  const high = marks[marks.length - 1] ?? 1;
  const height = frame.height - frame.top - frame.bottom;
  return (value) => frame.top + height * (1 - (value - low) / (high - low || 1));
}
