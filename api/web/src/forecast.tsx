// What an asset will probably produce: the shifts and days ahead in words, the hours as a fan of quantiles.

import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { number } from "./format";
import { fetchJson, type Forecasts } from "./model";

const HEIGHT = 220;
const AGAIN_MS = 300_000; // a new forecast is issued every hour
const SURE: Record<string, string> = {
  prior: "nothing is known of this asset yet: what assets of its type do",
  young: "rests on a few hours only",
  learning: "rests on less than two weeks",
  mature: "",
};
const day = new Intl.DateTimeFormat("en-GB", { weekday: "short", hour: "2-digit", minute: "2-digit" });

export function Forecast({ asset }: { asset: string }) {
  const [periods, setPeriods] = useState<Forecasts | null>(null);
  const [hours, setHours] = useState<Forecasts | null>(null);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    let gone = false;
    const load = () => {
      const of = (by: string) => fetchJson<Forecasts>(`v1/forecasts?under=${encodeURIComponent(asset)}&by=${by}`);
      Promise.all([of("shift"), of("hour")])
        .then(([shifts, each]) => {
          if (gone) return;
          setProblem("");
          setPeriods(shifts);
          setHours(each);
        })
        .catch((error: Error) => !gone && setProblem(error.message));
    };
    load();
    const timer = setInterval(load, AGAIN_MS);
    return () => {
      gone = true;
      clearInterval(timer);
    };
  }, [asset]);
  if (problem) return <section><h3>Forecast</h3><p class="problem">The forecast cannot be loaded: {problem}</p></section>;
  if (!periods || !hours) return null;
  const own = rowsOf(periods, asset).slice(0, 4);
  if (!own.length) return null; // nothing is counted here, or nothing was issued yet
  return (
    <section class="forecast" data-forecast={asset}>
      <h3>Forecast <small>issued {day.format(Date.parse(periods.origin[own[0]!]!))}{SURE[periods.maturity[own[0]!]!] && ` · ${SURE[periods.maturity[own[0]!]!]}`}</small></h3>
      <div class="columns">
        <table>
          <thead><tr><th>shift</th><th>until</th><th class="right">expected</th><th class="right">8 times in 10</th></tr></thead>
          <tbody>{own.map((row) => <Period key={periods.start[row]} all={periods} row={row} />)}</tbody>
        </table>
        <Fan all={hours} rows={rowsOf(hours, asset)} />
      </div>
    </section>
  );
}

function rowsOf(all: Forecasts, asset: string): number[] {
  return all.asset.flatMap((path, row) => (path === asset ? [row] : []));
}

function at(all: Forecasts, row: number, level: number): number {
  return all.quantiles[row]![all.levels.indexOf(level)]!;
}

function Period({ all, row }: { all: Forecasts; row: number }) {
  const lost = all.mean[row]! - all.adjusted_mean[row]!;
  return (
    <tr>
      <td>{all.name[row]}</td>
      <td>{day.format(Date.parse(all.end[row]!))}</td>
      <td class="right"><b>{number(Math.round(all.adjusted_mean[row]!))}</b> <small>{all.unit[row]}{lost >= 1 ? `, ${number(Math.round(lost))} less for the risk of a fault` : ""}</small></td>
      <td class="right">{number(Math.round(at(all, row, 0.1)))} to {number(Math.round(at(all, row, 0.9)))}</td>
    </tr>
  );
}

function Fan({ all, rows }: { all: Forecasts; rows: number[] }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = place.current;
    if (!element || !rows.length) return;
    const colour = getComputedStyle(element);
    const accent = colour.getPropertyValue("--accent");
    const axis = { stroke: colour.getPropertyValue("--quiet"), grid: { stroke: colour.getPropertyValue("--line"), width: 1 } };
    const edge = (label: string) => ({ label, stroke: "transparent", points: { show: false } });
    const chart = new uPlot(
      {
        width: element.clientWidth,
        height: HEIGHT,
        legend: { live: true },
        cursor: { drag: { x: false, y: false } },
        scales: { x: { time: true } },
        axes: [{ ...axis, space: 80 }, { ...axis, size: 56 }],
        series: [{ value: (_, time) => (time === null ? "–" : day.format(time * 1_000)) }, edge("95 of 100 below"), edge("5 of 100 below"), edge("3 of 4 below"), edge("1 of 4 below"), { label: `${all.unit[rows[0]!]} per hour`, stroke: accent, width: 2, points: { show: false } }],
        bands: [
          { series: [1, 2], fill: `color-mix(in srgb, ${accent} 18%, transparent)` },
          { series: [3, 4], fill: `color-mix(in srgb, ${accent} 30%, transparent)` },
        ],
      },
      [
        rows.map((row) => Date.parse(all.start[row]!) / 1_000),
        ...[0.95, 0.05, 0.75, 0.25].map((level) => rows.map((row) => at(all, row, level))),
        rows.map((row) => all.mean[row]!),
      ],
      element,
    );
    const watcher = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height: HEIGHT }));
    watcher.observe(element);
    return () => {
      watcher.disconnect();
      chart.destroy();
    };
  }, [all]);
  return <div class="chart fan" ref={place} />;
}
