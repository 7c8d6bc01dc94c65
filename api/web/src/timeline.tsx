// What a machine did: one band per time element over the last hours, and what it was made of in words.

import { useMemo } from "preact/hooks";
import { clock, span } from "./format";
import type { Interval } from "./model";

export const ELEMENTS: Record<string, string> = {
  production: "running", setup: "setup", failure: "down", "minor-stop": "minor", delay: "waiting", starved: "starved", blocked: "blocked", idle: "idle",
  maintenance: "old", "planned-stop": "planned", unscheduled: "planned", unknown: "unknown",
};
const WIDTH = 1_000;
const HEIGHT = 34;

type Props = { intervals: Interval[]; start: number; end: number; chosen?: string; choose?: (start: string) => void };

export function Timeline({ intervals, start, end, chosen, choose }: Props) {
  const shares = useMemo(() => sums(intervals), [intervals]);
  const scale = WIDTH / (end - start);
  const words = shares.map(([element, seconds]) => `${element} ${span(seconds)}`).join(", ");
  return (
    <div class="timeline" data-timeline={intervals.length}>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={`States: ${words}`}>
        {intervals.map((one) => {
          const from = Date.parse(one.start);
          const width = Math.max((Date.parse(one.end) - from) * scale, 0.4);
          return <rect key={one.start} class={`el-${ELEMENTS[one.element] ?? "unknown"}${one.start === chosen ? " chosen" : ""}`} onClick={() => choose?.(one.start)} x={(from - start) * scale} width={width} y="0" height={HEIGHT}><title>{`${clock(one.start)} to ${clock(one.end)}: ${one.state ?? "unknown"}${one.reason ? ` (${one.reason})` : ""}, ${one.element}, ${span((Date.parse(one.end) - from) / 1_000)}`}</title></rect>;
        })}
      </svg>
      <p class="axis"><span>{clock(new Date(start).toISOString())}</span><span>{clock(new Date((start + end) / 2).toISOString())}</span><span>{clock(new Date(end).toISOString())}</span></p>
      <ul class="legend">{shares.map(([element, seconds]) => <li key={element}><i class={`swatch el-${ELEMENTS[element] ?? "unknown"}`} />{element} <b>{span(seconds)}</b></li>)}</ul>
    </div>
  );
}

function sums(intervals: Interval[]): [string, number][] {
  const found = new Map<string, number>();
  for (const one of intervals) found.set(one.element, (found.get(one.element) ?? 0) + (Date.parse(one.end) - Date.parse(one.start)) / 1_000);
  return [...found].sort((a, b) => b[1] - a[1]);
}
