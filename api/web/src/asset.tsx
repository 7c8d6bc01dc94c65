// One asset: what it does, since when, how fresh that is, its findings, its signals, and a live trend of the chosen one.

import { useState } from "preact/hooks";
import { AlarmList, standing } from "./alarms";
import { now, plant, stateOf } from "./live";
import { Forecast } from "./forecast";
import { clock, number, since, unit } from "./format";
import type { Asset, Signal, Value } from "./model";
import { stateWord, tone } from "./overview";
import { Trend } from "./trend";

const SPANS = [["5 min", 300], ["15 min", 900], ["1 h", 3_600], ["8 h", 28_800], ["24 h", 86_400]] as const;

export function AssetView({ asset }: { asset: Asset }) {
  const state = stateOf(asset.path).value;
  const drawable = asset.signals.filter((signal) => signal.kind !== "text");
  const measured = drawable.filter((signal) => signal.kind === "measurement");
  const [chosen, choose] = useState((measured.find((signal) => !signal.role) ?? measured[0] ?? drawable[0])?.path);
  const [seconds, setSeconds] = useState(300);
  const signal = drawable.find((candidate) => candidate.path === chosen);
  const parents = asset.path.split("/").slice(0, -1);
  return (
    <main class="asset">
      <nav aria-label="where"><a href="#/">{plant.value?.enterprise}</a>{parents.map((part, index) => <a key={part} href={`#/${parents.slice(0, index + 1).join("/")}`}>{part}</a>)}</nav>
      <div class={`banner ${tone(state)}`}>
        <h2>{asset.title}</h2>
        <div class="state"><strong>{stateWord(state)}</strong><small>{state?.machine_state ? `for ${since(state.machine_state.since, now.value)}, since ${clock(state.machine_state.since)}` : ""}</small></div>
        {state?.throughput && (
          <div class="figures">
            <span><b>{number(state.throughput.now_per_h)}</b> {state.throughput.unit}/h now</span>
            <span><b>{number(state.throughput.this_shift)}</b> {state.throughput.unit} this shift{state.throughput.shift ? ` (${state.throughput.shift.name})` : ""}</span>
          </div>
        )}
        <p class="why">{state?.freshness.explanation ?? "Nothing has been received from this asset yet."}</p>
      </div>
      {standing(asset.path).length > 0 && (
        <section>
          <h3>Alarms</h3>
          <AlarmList alarms={standing(asset.path)} empty="" />
        </section>
      )}
      {!!state?.findings.length && (
        <section>
          <h3>Findings</h3>
          <ul class="list">{state.findings.map((finding) => <li key={finding.id}><b>{finding.detector}</b> {finding.message} <small>for {since(finding.since, now.value)}, score {number(finding.score)}</small></li>)}</ul>
        </section>
      )}
      <div class="columns">
        <section>
          <h3>Signals</h3>
          <table class="signals">
            <thead><tr><th>signal</th><th class="right">value</th><th>age</th><th>quality</th></tr></thead>
            <tbody>{asset.signals.map((row) => <Row key={row.path} signal={row} value={state?.signals?.[row.name]} chosen={row.path === chosen} choose={choose} />)}</tbody>
          </table>
        </section>
        <section class="trend">
          <h3>
            {signal ? `${signal.title}${signal.unit ? ` [${unit(signal.unit)}]` : ""}` : "Trend"}
            <span class="spans" role="group" aria-label="time span">{SPANS.map(([label, length]) => <button type="button" key={label} aria-pressed={length === seconds} onClick={() => setSeconds(length)}>{label}</button>)}</span>
          </h3>
          {signal && <Trend key={`${signal.path} ${seconds}`} signal={signal} asset={asset.path} seconds={seconds} />}
        </section>
      </div>
      {state?.throughput && <Forecast asset={asset.path} />}
    </main>
  );
}

type RowProps = { signal: Signal; value: Value | undefined; chosen: boolean; choose: (path: string) => void };

function Row({ signal, value, chosen, choose }: RowProps) {
  const word = signal.kind === "state" && value ? signal.states[String(value.value)]?.name : undefined;
  return (
    <tr class={chosen ? "chosen" : ""}>
      <td>{signal.kind === "text" ? signal.title : <button type="button" class="plain" onClick={() => choose(signal.path)}>{signal.title}</button>}</td>
      <td class="right" data-signal={signal.path}><b>{word ?? number(value?.value)}</b> <small>{unit(signal.unit)}</small></td>
      <td class={value?.fresh ? "" : "stale"}>{since(value?.time, now.value)}</td>
      <td>{value?.quality ?? "–"}</td>
    </tr>
  );
}
