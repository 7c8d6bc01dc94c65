// The fault risk of one machine: probability per horizon with its band, what it rests on, and what raises it.

import { useAsked } from "./ask";
import { percent } from "./facts";
import { clock, number, span } from "./format";
import type { Got, Horizon } from "./model";
import { at } from "./place";

const REASONS = 3;

export function RiskView({ asset }: { asset: string }) {
  const past = at.value === null ? "" : `?at=${new Date(at.value).toISOString()}`;
  const { answer, problem } = useAsked<Got<"/v1/assets/{path}/risk">>(`v1/assets/${asset}/risk${past}`);
  if (problem) return <section><h3>Fault risk</h3><p class="problem">The risk cannot be loaded: {problem}</p></section>;
  if (!answer) return null;
  const reasons = answer.horizons.flatMap((one) => one.reasons.slice(0, REASONS)).filter((one, place, all) => all.findIndex((other) => other.feature === one.feature) === place).slice(0, REASONS);
  return (
    <section data-risk-of={asset}>
      <h3>Fault risk {answer.at && <small>said at {clock(answer.at)}</small>}</h3>
      {!answer.horizons.length && <p class="quiet">Nothing has been said yet: the slow loop says it once an hour.</p>}
      {answer.horizons.length > 0 && (
        <table>
          <thead><tr><th>within</th><th class="right">probability</th><th>9 times in 10 between</th><th>rests on</th></tr></thead>
          <tbody>{answer.horizons.map((one) => <Row key={one.horizon_h} one={one} />)}</tbody>
        </table>
      )}
      {reasons.length > 0 && <p>What raises it: {reasons.map((one) => <span key={one.feature} class="share">{one.log_odds >= 0 ? "↑" : "↓"} {one.feature}{one.value !== null && ` (${number(one.value)})`}</span>)}</p>}
      {answer.remaining_life && <p>Next fault in about <b>{span(answer.remaining_life.hours * 3_600)}</b>{answer.remaining_life.hours >= answer.remaining_life.cap && " or more"} ({span(answer.remaining_life.low * 3_600)} to {span(answer.remaining_life.high * 3_600)}), from {answer.remaining_life.failures} failures.</p>}
    </section>
  );
}

function Row({ one }: { one: Horizon }) {
  const sure = one.calibrated ? `calibrated on ${one.failures} failures` : `${one.basis}${one.failures ? `, ${one.failures} failures` : ""}`;
  return (
    <tr>
      <td>{span(one.horizon_h * 3_600)}</td>
      <td class="right"><b>{one.p === null ? "–" : percent(one.p)}</b></td>
      <td>{one.low === null || one.high === null ? "–" : `${percent(one.low)} and ${percent(one.high)}`}</td>
      <td>{sure}</td>
    </tr>
  );
}
