// The points of a trend (pure): a stored series with holes where nothing was measured, new values at its right end.

import type { Gap, Series } from "./model";

export type Points = { times: number[]; values: (number | null)[] }; // seconds

/** A hole where a gap was recorded, or where the signal was silent for longer than it may be. */
export function points(series: Pick<Series, "time_ms" | "value" | "gaps">, silent_s: number): Points {
  const gaps = series.gaps.map((gap) => Date.parse(gap.start) / 1_000);
  const found: Points = { times: [], values: [] };
  let next = 0;
  series.time_ms.forEach((time_ms, index) => {
    const time = time_ms / 1_000;
    const before = found.times[found.times.length - 1];
    while (next < gaps.length && gaps[next]! <= time) {
      const at = gaps[next++]!;
      if (before !== undefined && at > found.times[found.times.length - 1]!) put(found, at, null);
    }
    const last = found.times[found.times.length - 1];
    if (last !== undefined && time - last > silent_s && found.values[found.values.length - 1] !== null) put(found, last + silent_s, null);
    if (last === undefined || time > last) put(found, time, drawable(series.value[index]));
  });
  return found;
}

/** A value that has just come; an older one is not taken. */
export function append(all: Points, time: number, value: number, silent_s: number): void {
  const last = all.times[all.times.length - 1];
  if (last !== undefined && time <= last) return;
  if (last !== undefined && time - last > silent_s) put(all, last + silent_s, null);
  put(all, time, value);
}

/** Forget what is older. */
export function trim(all: Points, oldest: number): void {
  let old = 0;
  while (old < all.times.length && all.times[old]! < oldest) old++;
  if (!old) return;
  all.times.splice(0, old);
  all.values.splice(0, old);
}

export const spanOf = (gap: Gap): [number, number] => [Date.parse(gap.start) / 1_000, Date.parse(gap.end) / 1_000];

/** A text has no height. */
const drawable = (value: Series["value"][number] | undefined): number | null => (typeof value === "number" ? value : null);

function put(all: Points, time: number, value: number | null): void {
  all.times.push(time);
  all.values.push(value);
}
