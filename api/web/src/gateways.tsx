// The edge agents: health in words, backlog, drops, clocks, certificates, configuration, and each source.

import { number, since, span } from "./format";
import { gateways } from "./live";
import type { Gateway } from "./model";
import { at } from "./place";

const CLOCK_OFF_S = 1; // a clock that is further off is marked
const CERTIFICATE_SOON_D = 30;

export function GatewaysView() {
  const all = Object.values(gateways.value).sort((a, b) => a.node.localeCompare(b.node));
  return (
    <main class="gateways">
      <h2>Gateways <small>{all.filter((one) => one.status === "online").length} of {all.length} online</small></h2>
      {at.value !== null && <p class="quiet">What gateways said in the past is not kept: this is how they are now.</p>}
      {!all.length && <p class="quiet" role="status">No gateway has reported yet. An agent reports as soon as it reaches the broker.</p>}
      {all.map((gateway) => <Card key={gateway.node} gateway={gateway} />)}
    </main>
  );
}

function Card({ gateway }: { gateway: Gateway }) {
  const problems = gateway.problems ?? [];
  const colour = gateway.status !== "online" ? "down" : problems.length ? "waiting" : "running";
  return (
    <section class={`gateway ${colour}`} data-gateway={gateway.node}>
      <h3>
        <i aria-hidden="true">{colour === "down" ? "✖" : colour === "waiting" ? "▲" : "✓"}</i> {gateway.node} <span class="state">{gateway.status}</span>
        {gateway.at && <small>last report {since(gateway.at, Date.now())} ago</small>}
      </h3>
      {problems.length > 0 && <ul class="problems">{problems.map((problem) => <li key={problem}>{problem}</li>)}</ul>}
      <dl class="facts">
        <Fact name="Waiting to be sent" value={backlog(gateway)} bad={!!gateway.backlog && gateway.backlog.batches > 50} />
        <Fact name="Draining" value={draining(gateway)} />
        <Fact name="Dropped" value={dropped(gateway)} bad={!!gateway.drops?.readings} />
        <Fact name="Device clocks" value={clockOff(gateway)} bad={Math.abs(gateway.clock_offset_s ?? 0) > CLOCK_OFF_S} />
        <Fact name="Certificates" value={gateway.certificate_days == null ? "none in use" : `${number(Math.floor(gateway.certificate_days))} days left`} bad={gateway.certificate_days != null && gateway.certificate_days < CERTIFICATE_SOON_D} />
        <Fact name="Configuration" value={configuration(gateway)} />
        <Fact name="Program" value={`${gateway.version ?? "?"}, up ${gateway.uptime_s === undefined ? "–" : span(gateway.uptime_s)}, ${gateway.memory_bytes ? bytes(gateway.memory_bytes) : "–"}`} />
      </dl>
      <Sources gateway={gateway} />
    </section>
  );
}

function Sources({ gateway }: { gateway: Gateway }) {
  return (
    <div class="wide">
      <table>
        <thead><tr><th>source</th><th>kind</th><th>status</th><th>since</th><th class="right">values/s</th><th>newest value</th><th>detail</th></tr></thead>
        <tbody>
          {(gateway.sources ?? []).map((source) => (
            <tr key={source.name}>
              <td>{source.name}</td>
              <td>{source.kind}</td>
              <td><i class={`dot ${source.status === "connected" ? "running" : "down"}`} />{source.status}</td>
              <td>{since(source.since, Date.now())}</td>
              <td class="right">{number(Math.round(source.values_per_s ?? 0))}</td>
              <td>{source.newest_at ? `${since(source.newest_at, Date.now())} ago` : "–"}</td>
              <td><small>{source.detail ?? ""}</small></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Fact({ name, value, bad = false }: { name: string; value: string; bad?: boolean }) {
  return <div class={bad ? "bad" : ""}><dt>{name}</dt><dd>{bad && <i aria-hidden="true">▲ </i>}{value}</dd></div>;
}

function backlog({ backlog: waiting }: Gateway): string {
  if (!waiting || !waiting.batches) return "nothing";
  const oldest = waiting.oldest_at ? `, the oldest ${since(waiting.oldest_at, Date.now())} old` : "";
  return `${number(waiting.batches)} ${waiting.batches === 1 ? "batch" : "batches"}, ${bytes(waiting.bytes)}${oldest}`;
}

function draining({ drain }: Gateway): string {
  if (!drain) return "–";
  const limit = drain.allowed_bytes_per_s ? ` of ${bytes(drain.allowed_bytes_per_s)}/s allowed` : "";
  const end = drain.empty_in_s ? `, empty in ${span(drain.empty_in_s)}` : "";
  return `${bytes(drain.bytes_per_s)}/s${limit}${end}`;
}

function dropped({ drops }: Gateway): string {
  if (!drops?.readings) return "nothing";
  const lanes = Object.entries(drops.by_priority ?? {}).filter(([, count]) => count).map(([name, count]) => `${number(count)} ${name}`);
  return `${number(drops.readings)} values${lanes.length ? ` (${lanes.join(", ")})` : ""}`;
}

function clockOff({ clock_offset_s: offset }: Gateway): string {
  if (offset == null) return "not measured";
  return Math.abs(offset) < 0.001 ? "exact" : `${span(Math.abs(offset))} ${offset > 0 ? "ahead" : "behind"}`;
}

function configuration({ configuration: revision, desired }: Gateway): string {
  const told = desired ? Object.entries(desired).filter(([, value]) => typeof value === "string" || typeof value === "number").map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`) : [];
  return [revision ? revision.slice(0, 12) : "–", ...(told.length ? told : ["from its own file"])].join(" · ");
}

export function bytes(count: number): string {
  const step = ["B", "kB", "MB", "GB"];
  let place = 0;
  while (count >= 1_000 && place < step.length - 1) [count, place] = [count / 1_000, place + 1];
  return `${number(place ? Math.round(count * 10) / 10 : Math.round(count))} ${step[place]}`;
}
