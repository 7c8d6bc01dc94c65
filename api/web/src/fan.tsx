// A fan of quantiles over time, with a line in the middle and, if wanted, another line to compare with.

import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { number } from "./format";

const HEIGHT = 220;
const ALPHAS = [18, 30];
const day = new Intl.DateTimeFormat("en-GB", { weekday: "short", hour: "2-digit", minute: "2-digit" });

type Props = { times: number[]; bands: [number[], number[]][]; centre: number[]; label: string; other?: { label: string; values: number[] } };

/** `bands` are pairs (upper, lower), the widest first; times are seconds. */
export function FanChart({ times, bands, centre, label, other }: Props) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = place.current;
    if (!element || !times.length) return;
    const colour = getComputedStyle(element);
    const accent = colour.getPropertyValue("--accent");
    const axis = { stroke: colour.getPropertyValue("--quiet"), grid: { stroke: colour.getPropertyValue("--line"), width: 1 } };
    const value = (_: uPlot, shown: number | null) => number(shown);
    const edge = (name: string) => ({ label: name, stroke: "transparent", points: { show: false }, value });
    const chart = new uPlot(
      {
        width: element.clientWidth,
        height: HEIGHT,
        legend: { live: true },
        cursor: { drag: { x: false, y: false } },
        scales: { x: { time: true } },
        axes: [{ ...axis, space: 80 }, { ...axis, size: 56 }],
        series: [
          { value: (_, time) => (time === null ? "–" : day.format(time * 1_000)) },
          ...bands.flatMap((_, index) => [edge(index ? "3 of 4 below" : "95 of 100 below"), edge(index ? "1 of 4 below" : "5 of 100 below")]),
          { label, stroke: accent, width: 2, points: { show: false }, value },
          ...(other ? [{ label: other.label, stroke: colour.getPropertyValue("--quiet"), width: 1.5, dash: [6, 4], points: { show: false }, value }] : []),
        ],
        bands: bands.map((_, index) => ({ series: [2 * index + 1, 2 * index + 2], fill: `color-mix(in srgb, ${accent} ${ALPHAS[index]}%, transparent)` })),
      },
      [times, ...bands.flat(), centre, ...(other ? [other.values] : [])],
      element,
    );
    const watcher = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height: HEIGHT }));
    watcher.observe(element);
    return () => {
      watcher.disconnect();
      chart.destroy();
    };
  }, [times, centre]);
  return <div class="chart fan" ref={place} role="img" aria-label={label} />;
}
