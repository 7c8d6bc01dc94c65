// What an asset will probably produce: the shifts and days ahead in words, the hours as a fan of quantiles.

import { useMemo } from "preact/hooks";
import { Downloads } from "./answer";
import { useAsked } from "./ask";
import { percent } from "./facts";
import { FanChart } from "./fan";
import { number } from "./format";
import type { Forecasts, Got } from "./model";
import { at as instant, href } from "./place";

const FULL_SHIFTS = 9;
const AGAIN_MS = 300_000; // a new forecast is issued every hour
const SURE: Record<Forecasts["maturity"][number], string> = {
  prior: "nothing is known of this asset yet: what assets of its type do",
  young: "rests on a few hours only",
  learning: "rests on less than two weeks",
  mature: "",
};
const day = new Intl.DateTimeFormat("en-GB", { weekday: "short", hour: "2-digit", minute: "2-digit" });

export function Forecast({ asset, full = false }: { asset: string; full?: boolean }) {
  const asked = (by: string) => `v1/forecasts?under=${encodeURIComponent(asset)}&by=${by}${instant.value === null ? "" : `&origin=${new Date(instant.value).toISOString()}`}`;
  const { answer: periods, problem } = useAsked<Forecasts>(asked("shift"), AGAIN_MS);
  const { answer: hours } = useAsked<Forecasts>(asked("hour"), AGAIN_MS);
  if (problem) return <section><h3>Forecast</h3><p class="problem">The forecast cannot be loaded: {problem}</p></section>;
  if (!periods || !hours) return full ? <p class="quiet">Loading the forecast …</p> : null;
  const own = rowsOf(periods, asset).slice(0, full ? FULL_SHIFTS : 4);
  if (!own.length) return full ? <section data-forecast=""><h3>Forecast</h3><p class="quiet">Nothing has been forecast here yet: the slow loop issues forecasts every hour, of what counts parts or moves.</p></section> : null;
  return (
    <section class="forecast" data-forecast={asset}>
      <h3>
        Forecast <small>issued {day.format(Date.parse(periods.origin[own[0]!]!))}{SURE[periods.maturity[own[0]!]!] && ` · ${SURE[periods.maturity[own[0]!]!]}`}</small>
        {full ? <small><Downloads address={asked("shift")} /> per hour <Downloads address={asked("hour")} /></small> : <a class="more" href={href(`plan/${asset}`)}>Plan and what-if ›</a>}
      </h3>
      <div class="columns">
        <table>
          <thead><tr><th>shift</th><th>until</th><th class="right">expected</th><th class="right">8 times in 10</th></tr></thead>
          <tbody>{own.map((row) => <Period key={periods.start[row]} all={periods} row={row} />)}</tbody>
        </table>
        <Fan all={hours} rows={rowsOf(hours, asset)} />
      </div>
      {full && <Coverage asset={asset} />}
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
  const of = (level: number) => rows.map((row) => at(all, row, level));
  return useMemo(
    () => (
      <FanChart
        times={rows.map((row) => Date.parse(all.start[row]!) / 1_000)} label={`${all.unit[rows[0]!] ?? ""} per hour`}
        bands={[[of(0.95), of(0.05)], [of(0.75), of(0.25)]]} centre={rows.map((row) => all.mean[row]!)}
      />
    ),
    [all],
  );
}

/** How often the truth lay inside the intervals, for this asset's shifts. */
function Coverage({ asset }: { asset: string }) {
  const { answer } = useAsked<Got<"/v1/forecasts/accuracy">>(`v1/forecasts/accuracy?under=${encodeURIComponent(asset)}`, AGAIN_MS);
  if (!answer) return null;
  const rows = answer.asset.flatMap((path, row) => (path === asset ? [row] : []));
  if (!rows.length) return <p class="quiet">No forecast of this asset has come true yet, so that nothing is known of its past coverage.</p>;
  return (
    <table data-coverage={rows.length}>
      <caption>Past coverage <small>of the last 28 days: how often the truth lay inside</small></caption>
      <thead><tr><th>per</th><th>days ahead</th><th class="right">forecasts</th><th class="right">5 in 10</th><th class="right">8 in 10</th><th class="right">95 in 100</th><th class="right">error ÷ naive</th></tr></thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row}><td>{answer.by[row]}</td><td>{answer.days_ahead[row]}</td><td class="right">{number(answer.count[row])}</td>
            {[answer.inside_50, answer.inside_80, answer.inside_95].map((inside, index) => <td key={index} class="right">{percent(inside[row]!)}</td>)}
            <td class="right">{answer.mase[row] === null ? "–" : number(answer.mase[row])}</td></tr>
        ))}
      </tbody>
    </table>
  );
}
