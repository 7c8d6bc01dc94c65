// Floods: many alarms of one area at once, told together in the order in which they came; and how well the alarms serve.

import { AlarmList } from "./alarms";
import { lastSeconds, useAsked } from "./ask";
import { percent } from "./facts";
import { clock, number } from "./format";
import { plant } from "./live";
import type { Alarm, Got } from "./model";
import { at } from "./place";

const DAY_S = 86_400;
const ACTORS = 5;

export function Floods({ alarms }: { alarms: Alarm[] }) {
  const floods = alarms.filter((alarm) => alarm.kind === "flood");
  if (!floods.length) return <p class="quiet" role="status">No flood: fewer than ten alarms of one area within ten minutes.</p>;
  return <>{floods.map((flood) => <Flood key={flood.id} flood={flood} grouped={alarms.filter((alarm) => alarm.grouped && alarm.scope === flood.scope)} />)}</>;
}

/** The first one first: it is nearest to the cause. */
function Flood({ flood, grouped }: { flood: Alarm; grouped: Alarm[] }) {
  const title = plant.value?.assets.find((asset) => asset.path === flood.scope)?.title ?? flood.scope;
  const first = [...grouped].sort((a, b) => (a.since ?? "").localeCompare(b.since ?? ""));
  return (
    <section class="flood" data-flood={flood.scope}>
      <h3>▲ Flood in {title} <small>since {clock(flood.since)}: {flood.message}</small></h3>
      {first[0] && <p>It began with <b>{first[0].message || first[0].title}</b> at {clock(first[0].since)}.</p>}
      <AlarmList alarms={[flood, ...first]} empty="" />
    </section>
  );
}

export function Report() {
  const { answer, problem } = useAsked<Got<"/v1/alarms/reports">>(`v1/alarms/reports?${lastSeconds(DAY_S, at.value)}`);
  if (problem) return <p class="problem">The report cannot be loaded: {problem}</p>;
  if (!answer) return null;
  const busy = answer.per_operator_h > answer.target_per_operator_h;
  return (
    <section>
      <h3>How well the alarms serve <small>last 24 h, after ISA-18.2 and EEMUA 191</small></h3>
      <dl class="facts">
        <div><dt>Alarms</dt><dd>{number(answer.raised)}</dd></div>
        <div class={busy ? "bad" : ""}><dt>Per operator and hour</dt><dd>{number(answer.per_operator_h)} <small>goal {number(answer.target_per_operator_h)}</small></dd></div>
        <div><dt>Most in ten minutes</dt><dd>{number(answer.most_in_ten_minutes)}</dd></div>
        <div><dt>Time in floods</dt><dd>{percent(answer.flood_share)}</dd></div>
        {answer.precision.map((one) => <div key={one.detector}><dt>{one.detector} was right</dt><dd>{percent(one.precision)} <small>{one.real + one.known} of {one.real + one.known + one.false}, 95 %: {percent(one.low)} to {percent(one.high)}</small></dd></div>)}
      </dl>
      {answer.bad_actors.length > 0 && <p class="quiet">Most often: {answer.bad_actors.slice(0, ACTORS).map((one) => one.title).join(" · ")}</p>}
    </section>
  );
}
