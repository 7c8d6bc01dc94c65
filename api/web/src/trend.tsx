// A live trend: history from the series endpoint, then every new value of the live feed at its right end.

import { effect } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { stateOf } from "./live";
import { fetchJson, type Series, type Signal } from "./model";

const HEIGHT = 320;
const POINTS = 1_200;
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

type Props = { signal: Signal; asset: string; seconds: number };

export function Trend({ signal, asset, seconds }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const [problem, setProblem] = useState("");

  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const colour = getComputedStyle(element);
    const stepped = signal.kind !== "measurement";
    const axis = { stroke: colour.getPropertyValue("--quiet"), grid: { stroke: colour.getPropertyValue("--line"), width: 1 } };
    const chart = new uPlot(
      {
        width: element.clientWidth,
        height: HEIGHT,
        legend: { live: true },
        cursor: { drag: { x: false, y: false } },
        scales: { x: { time: true } },
        axes: [{ ...axis, space: 90, values: (_, ticks) => ticks.map((tick) => clock.format(tick * 1_000)) }, { ...axis, size: 64 }],
        series: [
          { value: (_, time) => (time === null ? "–" : clock.format(time * 1_000)) },
          {
            label: signal.title,
            stroke: colour.getPropertyValue("--accent"),
            width: 1.5,
            points: { show: false },
            ...(stepped ? { paths: uPlot.paths.stepped!({ align: 1 }) } : {}),
          },
        ],
      },
      [[], []],
      element,
    );
    const times: number[] = [];
    const values: (number | null)[] = [];
    const draw = () => {
      const oldest = Date.now() / 1_000 - seconds;
      let old = 0;
      while (old < times.length && times[old]! < oldest) old++;
      if (old) {
        times.splice(0, old);
        values.splice(0, old);
      }
      element.dataset["points"] = String(times.length);
      chart.setData([times, values], false);
      chart.setScale("x", { min: oldest, max: Date.now() / 1_000 });
    };
    let loaded = false;
    let gone = false;
    const start = new Date(Date.now() - seconds * 1_000).toISOString();
    fetchJson<Series>(`v1/signals/${signal.path}/series?start=${encodeURIComponent(start)}&points=${POINTS}`)
      .then((series) => {
        if (gone) return;
        series.time_ms.forEach((time, index) => {
          times.push(time / 1_000);
          values.push(series.value[index] ?? null);
        });
        loaded = true;
        draw();
      })
      .catch((error: Error) => setProblem(error.message));
    const stop = effect(() => {
      const value = stateOf(asset).value?.signals?.[signal.name];
      if (!loaded || typeof value?.value !== "number" || !value.time) return;
      const time = Date.parse(value.time) / 1_000;
      if (!times.length || time > times[times.length - 1]!) {
        times.push(time);
        values.push(value.value);
      }
    });
    const timer = setInterval(draw, 250);
    const watcher = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height: HEIGHT }));
    watcher.observe(element);
    return () => {
      gone = true;
      clearInterval(timer);
      watcher.disconnect();
      stop();
      chart.destroy();
    };
  }, []);

  return (
    <>
      {problem && <p class="problem">The trend cannot be loaded: {problem}</p>}
      <div class="chart" ref={place} data-trend={signal.path} />
    </>
  );
}
