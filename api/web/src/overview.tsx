// The plant at a glance: every unit of every area with its state, throughput and freshness.

import { useEffect } from "preact/hooks";
import { figuresOf, follow, headline } from "./figures";
import { AlarmCount, standing } from "./alarms";
import { failure, gateways, now, plant, stateOf } from "./live";
import { number, since, span, unit } from "./format";
import type { Asset, AssetState } from "./model";

const DENSE_FROM = 12; // an area with more units than this is drawn as small tiles

export function tone(state: AssetState | null): string {
  if (!state || state.freshness.reason === "never") return "unknown";
  if (state.freshness.reason !== "live" && state.freshness.reason !== "late") return "old";
  const machine = state.machine_state;
  if (!machine) return state.health === "bad" ? "down" : state.health === "warning" ? "waiting" : "running";
  if (machine.category === "Executing") return "running";
  if (machine.category === "OutOfService") return "down";
  return machine.category === "NotExecuting" ? "waiting" : "unknown";
}

/** Finer words than the colour alone: colour is never the only carrier. */
export function stateWord(state: AssetState | null): string {
  if (!state) return "no data";
  if (!state.machine_state) return state.freshness.reason === "never" ? "no data" : state.health === "unknown" ? "" : state.health;
  return state.machine_state.name;
}

function Freshness({ state }: { state: AssetState }) {
  const { freshness } = state;
  const age = freshness.newest_at ? Math.max(0, (now.value - Date.parse(freshness.newest_at)) / 1_000) : null;
  return (
    <span class={`fresh ${freshness.reason}`} title={freshness.explanation}>
      {age === null ? "never seen" : freshness.reason === "live" && age < 90 ? `${span(age)} old` : `${freshness.reason} · ${span(age)}`}
    </span>
  );
}

function Card({ asset }: { asset: Asset }) {
  const state = stateOf(asset.path).value;
  const colour = tone(state);
  const findings = state?.findings.length ?? 0;
  const shown = headline(figuresOf(asset.path).value);
  const level = state && !asset.signals.some((signal) => signal.role === "machine-state") ? leading(asset, state) : null;
  return (
    <a class={`card ${colour}`} href={`#/${asset.path}`} data-asset={asset.path}>
      <header>
        <b>{asset.title}</b>
        {findings > 0 && <span class="findings" title={state!.findings.map((finding) => finding.message).join("\n")}>▲ {findings}</span>}
      </header>
      <div class="state">
        <strong>{level ?? stateWord(state)}</strong>
        <small>{state?.machine_state ? since(state.machine_state.since, now.value) : ""}</small>
      </div>
      <dl>
        {state?.throughput && (
          <>
            <div><dt>now</dt><dd>{number(state.throughput.now_per_h)}<small> /h</small></dd></div>
            <div><dt>{state.throughput.shift?.name ?? "shift"}</dt><dd>{number(state.throughput.this_shift)}<small> {state.throughput.unit}</small></dd></div>
          </>
        )}
        {shown && <div title={shown.title}><dt>{shown.name}</dt><dd>{shown.value}</dd></div>}
      </dl>
      <footer>{state ? <Freshness state={state} /> : <span class="fresh never">no data yet</span>}</footer>
    </a>
  );
}

/** What an asset without a machine state shows first: its first measurement, e.g. a buffer's level. */
function leading(asset: Asset, state: AssetState): string | null {
  const shown = asset.signals.find((signal) => signal.kind === "measurement");
  const value = shown && state.signals?.[shown.name];
  return value ? `${number(value.value)}${shown.high !== null && shown.unit === "" ? ` of ${number(shown.high)}` : ` ${unit(shown.unit)}`}` : null;
}

function Tile({ asset }: { asset: Asset }) {
  const state = stateOf(asset.path).value;
  return (
    <a class={`tile ${tone(state)}`} href={`#/${asset.path}`} data-asset={asset.path}
      title={`${asset.title}: ${stateWord(state)}. ${state?.freshness.explanation ?? ""}`}>
      <small>{asset.name}</small>
      <b>{(state && leading(asset, state)) ?? "–"}</b>
    </a>
  );
}

function Area({ area, assets }: { area: Asset; assets: Asset[] }) {
  const units = assets.filter((asset) => asset.level === "unit" && asset.path.startsWith(`${area.path}/`));
  const state = stateOf(area.path).value;
  const dense = units.length > DENSE_FROM;
  if (!units.length) return null;
  return (
    <section class="area">
      <h3>
        <a href={`#/${area.path}`}>{area.title}</a>
        {standing(area.path).length > 0 && <AlarmCount under={area.path} />}
        {!!state?.children?.total && <small>{state.children.running} of {state.children.total} running{state.children.down ? `, ${state.children.down} down` : ""}</small>}
      </h3>
      <div class={dense ? "tiles" : "cards"}>{units.map((one) => (dense ? <Tile key={one.path} asset={one} /> : <Card key={one.path} asset={one} />))}</div>
    </section>
  );
}

export function Overview({ under }: { under?: string }) {
  const known = plant.value;
  useEffect(() => (known ? follow(known.assets.filter((asset) => asset.level === "site").map((asset) => asset.path)) : undefined), [known]);
  if (!known) return <main class="empty">{failure.value || "Loading the plant …"}</main>;
  const sites = known.assets.filter((asset) => asset.level === "site" && (!under || under === asset.path || under.startsWith(`${asset.path}/`)));
  return (
    <main>
      {sites.map((site) => {
        const state = stateOf(site.path).value;
        const shown = headline(figuresOf(site.path).value);
        const areas = known.assets.filter(
          (asset) => asset.level === "area" && asset.parent === site.path && (!under || asset.path === under || under === site.path || asset.path.startsWith(`${under}/`)),
        );
        return (
          <section class="site" key={site.path}>
            <h2>
              <a href={`#/${site.path}`}>{site.title}</a>
              {state?.children && (
                <span class="sums">
                  <i class="dot running" />{state.children.running} running
                  <i class="dot down" />{state.children.down} down
                  <i class="dot waiting" />{state.children.total - state.children.running - state.children.down} other
                  {shown && <b class="headline" title={shown.title}>{shown.name} {shown.value}</b>}
                </span>
              )}
            </h2>
            <div class="areas">{areas.map((area) => <Area key={area.path} area={area} assets={known.assets} />)}</div>
          </section>
        );
      })}
      <Gateways />
    </main>
  );
}

function Gateways() {
  const all = Object.values(gateways.value).sort((a, b) => a.node.localeCompare(b.node));
  if (!all.length) return null;
  return (
    <section class="site">
      <h2>Gateways</h2>
      <table class="gateways">
        <thead><tr><th>node</th><th>status</th><th>sources</th><th>values/s</th><th>waiting to be sent</th><th>oldest</th></tr></thead>
        <tbody>
          {all.map((gateway) => (
            <tr key={gateway.node}>
              <td>{gateway.node}</td>
              <td>
                <i class={`dot ${gateway.status !== "online" ? "down" : gateway.problems?.length ? "waiting" : "running"}`} />{gateway.status}
                {!!gateway.problems?.length && <ul class="problems">{gateway.problems.map((problem) => <li key={problem}>{problem}</li>)}</ul>}
              </td>
              <td>{(gateway.sources ?? []).map((source) => <span key={source.name} class="source" title={source.detail}><i class={`dot ${source.status === "connected" ? "running" : "down"}`} />{source.name} {source.status}</span>)}</td>
              <td>{number(Math.round((gateway.sources ?? []).reduce((sum, source) => sum + (source.values_per_s ?? 0), 0)))}</td>
              <td>{gateway.backlog ? `${number(gateway.backlog.batches)} ${gateway.backlog.batches === 1 ? "batch" : "batches"}` : "–"}</td>
              <td>{gateway.backlog?.oldest_at ? since(gateway.backlog.oldest_at, now.value) : "–"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
