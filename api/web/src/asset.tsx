// One asset: what it does, since when, how fresh that is; its states, key figures, risk, findings, signals and a live trend.

import { useState } from "preact/hooks";
import { AlarmList, standing } from "./alarms";
import { lastSeconds, useAsked } from "./ask";
import { Crumbs } from "./crumbs";
import { Forecast } from "./forecast";
import { clock, number, since, span, unit } from "./format";
import { Figures } from "./lineage";
import { gateways, now, stateOf } from "./live";
import type { Asset, AssetState, Got, KeptFinding, Signal, Value } from "./model";
import { at, href } from "./place";
import { RiskView } from "./risk";
import { sign, stateWord, tone } from "./state";
import { Trend } from "./trend";

const SPANS = [["5 min", 300], ["15 min", 900], ["1 h", 3_600], ["8 h", 28_800], ["24 h", 86_400]] as const;
const FINDINGS_EVERY_MS = 10_000;

export function AssetView({ asset }: { asset: Asset }) {
  const state = stateOf(asset.path).value;
  const drawable = asset.signals.filter((signal) => signal.kind !== "text");
  const measured = drawable.filter((signal) => signal.kind === "measurement");
  const [chosen, choose] = useState((measured.find((signal) => !signal.role) ?? measured[0] ?? drawable[0])?.path);
  const [seconds, setSeconds] = useState(300);
  const [raw, setRaw] = useState(false);
  const signal = drawable.find((candidate) => candidate.path === chosen);
  const found = useAsked<Got<"/v1/findings">>(`v1/findings?asset=${encodeURIComponent(asset.path)}&${lastSeconds(86_400, at.value)}`, FINDINGS_EVERY_MS);
  const findings = found.answer?.findings ?? [];
  return (
    <main class="asset">
      <Crumbs path={asset.path} />
      <Banner asset={asset} state={state} />
      {standing(asset.path).length > 0 && (
        <section>
          <h3>Alarms</h3>
          <AlarmList alarms={standing(asset.path)} empty="" />
        </section>
      )}
      <div class="columns">
        <section>
          <h3>Signals</h3>
          <table class="signals">
            <thead><tr><th>signal</th><th class="right">value</th><th>age</th><th>quality</th></tr></thead>
            <tbody>{asset.signals.map((row) => <Row key={row.path} signal={row} value={state?.signals?.[row.name]} why={state?.freshness.explanation} chosen={row.path === chosen} choose={choose} />)}</tbody>
          </table>
        </section>
        <section class="trend">
          <h3>
            {signal ? `${signal.title}${signal.unit ? ` [${unit(signal.unit)}]` : ""}` : "Trend"}
            <span class="spans" role="group" aria-label="time span">
              {SPANS.map(([label, length]) => <button type="button" key={label} aria-pressed={length === seconds} onClick={() => setSeconds(length)}>{label}</button>)}
              <button type="button" aria-pressed={raw} onClick={() => setRaw(!raw)} title="Up to 100,000 samples, instead of the extremes of each pixel">every sample</button>
            </span>
          </h3>
          {signal && <Trend signal={signal} asset={asset.path} seconds={seconds} raw={raw} findings={findings} />}
          <Findings findings={findings} choose={choose} />
        </section>
      </div>
      <div class="columns even">
        <Figures asset={asset} />
        <div>
          {asset.duty !== null && <RiskView asset={asset.path} />}
          <Maintenance asset={asset.path} />
          <Gateway state={state} />
        </div>
      </div>
      {state?.throughput && <Forecast asset={asset.path} />}
    </main>
  );
}

function Banner({ asset, state }: { asset: Asset; state: AssetState | null }) {
  const colour = tone(state);
  return (
    <div class={`banner ${colour}`}>
      <h2>{asset.title}</h2>
      <div class="state"><strong><i aria-hidden="true">{sign(colour)}</i> {stateWord(state)}</strong><small>{state?.machine_state ? `for ${since(state.machine_state.since, now.value)}, since ${clock(state.machine_state.since)}` : ""}</small></div>
      {state?.throughput && (
        <div class="figures">
          <span><b>{number(state.throughput.now_per_h)}</b> {asset.plan_per_h ? `of ${number(Math.round(asset.plan_per_h))} ` : ""}{state.throughput.unit}/h now</span>
          <span><b>{number(state.throughput.this_shift)}</b> {state.throughput.unit} this shift{state.throughput.shift ? ` (${state.throughput.shift.name})` : ""}</span>
        </div>
      )}
      <p class="why">{state?.freshness.explanation ?? "Nothing has been received from this asset yet."}</p>
    </div>
  );
}

type RowProps = { signal: Signal; value: Value | undefined; why: string | undefined; chosen: boolean; choose: (path: string) => void };

function Row({ signal, value, why, chosen, choose }: RowProps) {
  const word = signal.kind === "state" && value ? signal.states[String(value.value)]?.name : undefined;
  return (
    <tr class={chosen ? "chosen" : ""}>
      <td>{signal.kind === "text" ? signal.title : <button type="button" class="plain" onClick={() => choose(signal.path)}>{signal.title}</button>}</td>
      <td class="right" data-signal={signal.path}><b>{word ?? number(value?.value)}</b> <small>{unit(signal.unit)}</small></td>
      <td class={value?.fresh ? "" : "stale"} title={value?.fresh ? undefined : why}>{value && !value.fresh && <i aria-hidden="true">◷ </i>}{since(value?.time, now.value)}</td>
      <td>{value?.quality ?? "–"}</td>
    </tr>
  );
}

/** What the detectors found in the last day; a signal that contributed can be looked at. */
function Findings({ findings, choose }: { findings: KeptFinding[]; choose: (path: string) => void }) {
  if (!findings.length) return null;
  const newest = [...findings].reverse().slice(0, 8);
  return (
    <>
      <h3>Findings of the last day</h3>
      <ul class="list findings-list">
        {newest.map((one) => (
          <li key={one.id} class={one.until ? "" : "open"}>
            <b>{one.detector}</b> {one.message} <small>{clock(one.since)}{one.until ? `, lasted ${span((Date.parse(one.until) - Date.parse(one.since)) / 1_000)}` : `, goes on for ${since(one.since, now.value)}`}, score {number(one.score)}</small>
            {(one.contributions ?? []).slice(0, 4).map((part) => (
              <button type="button" key={part.signal} class="share" title={`look at ${part.signal}`} onClick={() => choose(part.signal)}>{part.sign > 0 ? "↑" : part.sign < 0 ? "↓" : "·"} {part.signal.split("/").pop()} {Math.round(part.share * 100)} %</button>
            ))}
          </li>
        ))}
      </ul>
    </>
  );
}

function Maintenance({ asset }: { asset: string }) {
  const { answer } = useAsked<Got<"/v1/maintenance-events">>(`v1/maintenance-events?asset=${encodeURIComponent(asset)}&${lastSeconds(30 * 86_400, at.value)}`);
  if (!answer) return null;
  return (
    <section>
      <h3>Maintenance <small>last 30 days</small></h3>
      {!answer.events.length && <p class="quiet">None was told.</p>}
      {answer.events.length > 0 && <ul class="list">{answer.events.map((event) => <li key={event.id}><b>{event.kind}</b> {event.component} {event.comment} <small>{new Date(event.at).toLocaleString("en-GB")}{event.until_at && ` to ${clock(event.until_at)}`}, told by {event.source}</small></li>)}</ul>}
    </section>
  );
}

/** The gateways that this asset's values came by. */
function Gateway({ state }: { state: AssetState | null }) {
  const nodes = state?.gateways ?? [];
  if (!nodes.length) return null;
  return (
    <section>
      <h3>Gateway</h3>
      <ul class="list">
        {nodes.map((node) => {
          const gateway = gateways.value[node];
          return <li key={node}><a href={href("gateways")}><i class={`dot ${gateway?.status === "online" ? "running" : "down"}`} />{node} {gateway?.status ?? "has not reported"}</a>{gateway?.problems?.map((problem) => <span key={problem}> · {problem}</span>)}</li>;
        })}
      </ul>
    </section>
  );
}
