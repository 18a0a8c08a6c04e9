/** Round numbers that span `low`..`high` in about `count` steps, for the lines of a chart. */
export function ticks(low: number, high: number, count = 4): number[] {
  const span = high - low || 1;
  const magnitude = 10 ** Math.floor(Math.log10(span / count));
  const step = [1, 2, 5, 10].map((factor) => factor * magnitude).find((size) => span / size <= count) ?? 10 * magnitude;
  const first = Math.floor(low / step);
  const last = Math.ceil(high / step);
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}

/** A drawing's size and margins in CSS pixels. */
export interface Frame {
  width: number;
  height: number;
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export const frameOf = (width: number): Frame => ({ width, height: 240, left: 64, top: 12, right: 12, bottom: 26 });

/** Value to y: the lowest tick at the bottom of the frame, the highest at its top. */
export function vertical(marks: readonly number[], frame: Frame): (value: number) => number {
  const low = marks[0] ?? 0;
  const high = marks[marks.length - 1] ?? 1;
  const height = frame.height - frame.top - frame.bottom;
  return (value) => frame.top + height * (1 - (value - low) / (high - low || 1));
}

/** Which of `count` labels to write, so that each has about `room` pixels: evenly spread, the last one among them. */
export function labelled(count: number, width: number, room: number): Set<number> {
  const step = Math.max(1, Math.ceil((count * room) / Math.max(room, width)));
  return new Set(Array.from({ length: Math.ceil(count / step) }, (_, i) => count - 1 - i * step));
}
