// A live trend: history from the series endpoint, then every new value of the live feed at its right end. Findings are
// bands with the baseline they left, gaps are holes. Drag to look closer, double click to follow again.

import { effect } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { lastSeconds } from "./ask";
import { stateOf } from "./live";
import { fetchJson, type KeptFinding, type Series, type Signal } from "./model";
import { at } from "./place";
import { append, points, spanOf, trim, type Points } from "./points";

const HEIGHT = 300;
const PER_PIXEL = 4; // first, last, lowest, highest
const MOST_REDUCED = 20_000;
const MOST_RAW = 100_000;
const REDRAW_MS = 250;
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

type Props = { signal: Signal; asset: string; seconds: number; raw: boolean; findings: KeptFinding[] };
type Shown = { points: Points; gaps: [number, number][]; zoomed: boolean };

export function Trend({ signal, asset, seconds, raw, findings }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const marks = useRef(findings);
  marks.current = findings;
  const [problem, setProblem] = useState("");
  const [coverage, setCoverage] = useState<number | null>(null);
  const instant = at.value;

  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const shown: Shown = { points: { times: [], values: [] }, gaps: [], zoomed: false };
    const chart = new uPlot(options(element, signal, shown, marks), [[], []], element);
    const silent_s = Math.max(signal.stale_after_s, raw ? 0 : (3 * seconds * PER_PIXEL) / element.clientWidth);
    let loaded = false;
    let gone = false;
    const draw = () => {
      const end = (instant ?? Date.now()) / 1_000;
      if (instant === null) trim(shown.points, end - seconds);
      element.dataset["points"] = String(shown.points.times.length);
      chart.setData([shown.points.times, shown.points.values], false);
      if (shown.zoomed) chart.redraw();
      else chart.setScale("x", { min: end - seconds, max: end });
    };
    load(signal, seconds, raw, element.clientWidth, instant)
      .then((series) => {
        if (gone) return;
        shown.points = points(series, silent_s);
        shown.gaps = series.gaps.map(spanOf);
        setCoverage(series.coverage);
        setProblem("");
        loaded = true;
        draw();
      })
      .catch((error: Error) => !gone && setProblem(error.message));
    const stop = effect(() => {
      const value = stateOf(asset).value?.signals?.[signal.name];
      if (!loaded || instant !== null || typeof value?.value !== "number" || !value.time) return;
      append(shown.points, Date.parse(value.time) / 1_000, value.value, silent_s);
    });
    const timer = instant === null ? setInterval(draw, REDRAW_MS) : 0;
    const watcher = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height: HEIGHT }));
    watcher.observe(element);
    return () => {
      gone = true;
      clearInterval(timer);
      watcher.disconnect();
      stop();
      chart.destroy();
    };
  }, [signal.path, seconds, raw, instant]);

  return (
    <>
      {problem && <p class="problem">The trend cannot be loaded: {problem}</p>}
      <div class="chart" ref={place} data-trend={signal.path} role="img" aria-label={`Trend of ${signal.title}`} />
      <p class="quiet under">{coverage !== null && coverage < 1 ? `${(100 * coverage).toFixed(1)} % of this time is covered; holes are where nothing was measured. ` : ""}Drag to look closer, double click to go back.</p>
    </>
  );
}

/** Every sample while they are not too many, else the extremes of each pixel. */
function load(signal: Signal, seconds: number, raw: boolean, width: number, instant: number | null): Promise<Series> {
  const window = lastSeconds(seconds, instant);
  const expected = seconds / Math.max(signal.period_s, 0.001);
  const most = Math.min(MOST_REDUCED, PER_PIXEL * Math.max(width, 100));
  const reduced = raw && expected <= MOST_RAW ? "" : `&points=${raw ? MOST_REDUCED : most}`;
  return fetchJson<Series>(`v1/signals/${signal.path}/series?${window}${reduced}`);
}

function options(element: HTMLElement, signal: Signal, shown: Shown, marks: { current: KeptFinding[] }): uPlot.Options {
  const colour = getComputedStyle(element);
  const of = (name: string) => colour.getPropertyValue(name);
  const stepped = signal.kind !== "measurement";
  const axis = { stroke: of("--quiet"), grid: { stroke: of("--line"), width: 1 } };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    legend: { live: true },
    cursor: { drag: { x: true, y: false } },
    scales: { x: { time: true } },
    axes: [{ ...axis, space: 90, values: (_, ticks) => ticks.map((tick) => clock.format(tick * 1_000)) }, { ...axis, size: 64 }],
    series: [
      { value: (_, time) => (time === null ? "–" : clock.format(time * 1_000)) },
      { label: signal.title, stroke: of("--accent"), width: 1.5, points: { show: false }, ...(stepped ? { paths: uPlot.paths.stepped!({ align: 1 }) } : {}) },
    ],
    hooks: {
      setSelect: [(chart) => { shown.zoomed = chart.select.width > 0; }],
      ready: [(chart) => chart.over.addEventListener("dblclick", () => { shown.zoomed = false; })],
      drawClear: [(chart) => bands(chart, shown, marks.current.filter((one) => concerns(one, signal.path)), of)],
    },
  };
}

const concerns = (finding: KeptFinding, path: string): boolean =>
  finding.signal === path || (finding.contributions ?? []).some((one) => one.signal === path && one.share >= 0.1);

/** Behind the line: recorded gaps, findings from since to until, and the baseline that a finding left. */
function bands(chart: uPlot, shown: Shown, findings: KeptFinding[], of: (name: string) => string): void {
  const { ctx, bbox } = chart;
  const x = (time: number) => Math.min(Math.max(chart.valToPos(time, "x", true), bbox.left), bbox.left + bbox.width);
  const y = (value: number) => Math.min(Math.max(chart.valToPos(value, "y", true), bbox.top), bbox.top + bbox.height);
  ctx.save();
  const fill = (from: number, to: number, top: number, bottom: number, colour: string, alpha: number) => {
    ctx.globalAlpha = alpha;
    ctx.fillStyle = colour;
    ctx.fillRect(from, top, Math.max(to - from, 1), bottom - top);
  };
  for (const [start, end] of shown.gaps) fill(x(start), x(end), bbox.top, bbox.top + bbox.height, of("--unknown"), 0.22);
  for (const one of findings) {
    const from = x(Date.parse(one.since) / 1_000);
    const to = x((one.until ? Date.parse(one.until) : Date.now()) / 1_000);
    fill(from, to, bbox.top, bbox.top + bbox.height, of("--waiting"), 0.2);
    fill(from, to, bbox.top, bbox.top + 4, of("--waiting"), 1);
    const { centre, spread } = one.baseline ?? { centre: null, spread: null };
    if (centre !== null && spread) fill(from, to, y(centre + 3 * spread), y(centre - 3 * spread), of("--running"), 0.3);
  }
  ctx.restore();
}
