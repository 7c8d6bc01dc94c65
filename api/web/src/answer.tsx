// What a scenario costs or brings: quantiles against the base case, the fan in time, bottlenecks, who starves when.

import { percent } from "./facts";
import { FanChart } from "./fan";
import { number, span } from "./format";
import { now, plant } from "./live";
import type { Answer, Quantiles, Scenario } from "./model";

const BOTTLENECKS = 8;

export function AnswerView({ scenario, answer }: { scenario: Scenario; answer: Answer }) {
  const titleOf = (path: string) => plant.value?.assets.find((asset) => asset.path === path)?.title ?? path;
  const ranked = [...answer.assets].sort((a, b) => b.bottleneck - a.bottleneck).slice(0, BOTTLENECKS);
  const dry = answer.assets.filter((one) => one.starves_after_s !== null).sort((a, b) => a.starves_after_s! - b.starves_after_s!);
  return (
    <div class="answer" data-scenario={scenario.id} role="region" aria-label="answer">
      <h3>{answer.title} <small>{number(answer.replications)} futures in {span(scenario.seconds)} · <Downloads address={`v1/scenarios/${scenario.id}`} /></small></h3>
      {answer.outputs.map((one) => (
        <div key={one.site} class="columns even">
          <div>
            <p class="verdict">{verdict(one.difference, one.low, one.high, one.base.mean)}</p>
            <table>
              <thead><tr><th>over {span(answer.horizon_s)}</th><th class="right">mean</th><th class="right">1 in 20 below</th><th class="right">median</th><th class="right">1 in 20 above</th></tr></thead>
              <tbody><QuantileRow name="as it is" of={one.base} /><QuantileRow name="changed" of={one.changed} /></tbody>
            </table>
            <p class="quiet">The slowest resource would allow {number(one.at_most_per_h)} per hour.</p>
          </div>
          {answer.fans.filter((fan) => fan.site === one.site).map((fan) => (
            <FanChart
              key={scenario.id} times={fan.end_s.map((end) => now.value / 1_000 + end)} label={`${titleOf(one.site)}, changed`}
              bands={[[fan.changed["q95"]!, fan.changed["q05"]!]]} centre={fan.changed["q50"]!} other={{ label: "as it is", values: fan.base["q50"]! }}
            />
          ))}
        </div>
      ))}
      <div class="columns even">
        <table>
          <caption>Bottleneck <small>1 = the busiest of its site</small></caption>
          <thead><tr><th>unit</th><th>as it is</th><th>changed</th><th class="right">down</th><th class="right">blocked</th></tr></thead>
          <tbody>
            {ranked.map((one) => (
              <tr key={one.asset}><td>{titleOf(one.asset)}</td><td><Share of={one.base_bottleneck} /></td><td><Share of={one.bottleneck} /></td><td class="right">{percent(one.down)}</td><td class="right">{percent(one.blocked)}</td></tr>
            ))}
          </tbody>
        </table>
        <div>
          <Sensitivity answer={answer} titleOf={titleOf} />
          {answer.takeovers.map((one) => <p key={one.asset}>{one.words}</p>)}
          {dry.length > 0 && (
            <table>
              <caption>Who runs dry</caption>
              <thead><tr><th>unit</th><th>makes less than half after</th><th>is back after</th></tr></thead>
              <tbody>{dry.map((one) => <tr key={one.asset}><td>{titleOf(one.asset)}</td><td>{one.starves_after_s ? span(one.starves_after_s) : "at once"}</td><td>{one.recovers_after_s === null ? "not within the time looked ahead" : span(one.recovers_after_s)}</td></tr>)}</tbody>
            </table>
          )}
          <p class="quiet">Trusted: {answer.trust}</p>
        </div>
      </div>
    </div>
  );
}

/** What each likely bottleneck would bring if it were faster. */
function Sensitivity({ answer, titleOf }: { answer: Answer; titleOf: (path: string) => string }) {
  const most = Math.max(...answer.sensitivity.map((one) => one.gain_per_h), 1e-9);
  if (!answer.sensitivity.length) return null;
  const sure = Object.values(answer.bottlenecks).filter((asset) => asset !== null);
  return (
    <table data-sensitivity={answer.sensitivity.length}>
      <caption>What would help most <small>{sure.length ? `surely ${sure.map(titleOf).join(", ")}` : "nothing is certain"}</small></caption>
      <thead><tr><th>10 % faster</th><th>brings per hour</th><th>surely between</th></tr></thead>
      <tbody>{answer.sensitivity.map((one) => <tr key={one.asset}><td>{titleOf(one.asset)}</td><td><span class="sharebar"><meter min={0} max={most} value={Math.max(one.gain_per_h, 0)} aria-hidden="true" /> {number(one.gain_per_h)}</span></td><td>{number(one.low)} and {number(one.high)}</td></tr>)}</tbody>
    </table>
  );
}

function verdict(difference: number, low: number, high: number, base: number): string {
  if (low <= 0 && high >= 0) return "Makes no difference that so many futures can show.";
  const share = base ? ` (${percent(Math.abs(difference) / base)})` : "";
  const [from, to] = [Math.min(Math.abs(low), Math.abs(high)), Math.max(Math.abs(low), Math.abs(high))];
  return `${difference < 0 ? "Costs" : "Brings"} ${number(Math.round(Math.abs(difference)))}${share}, surely between ${number(Math.round(from))} and ${number(Math.round(to))} on average.`;
}

function QuantileRow({ name, of }: { name: string; of: Quantiles }) {
  return <tr><td>{name}</td>{[of.mean, of.q05, of.q50, of.q95].map((value, index) => <td key={index} class="right">{index ? number(Math.round(value)) : <b>{number(Math.round(value))}</b>}</td>)}</tr>;
}

export function Share({ of, most = 1 }: { of: number; most?: number }) {
  return <span class="sharebar"><meter min={0} max={most} value={of} aria-hidden="true" /> {of.toFixed(2)}</span>;
}

/** The same table as a file. */
export function Downloads({ address }: { address: string }) {
  const with_ = address.includes("?") ? "&" : "?";
  return <>{(["csv", "xlsx"] as const).map((form) => <a key={form} class="download" href={`${address}${with_}format=${form}`} download>{form === "csv" ? "CSV" : "Excel"}</a>)}</>;
}
