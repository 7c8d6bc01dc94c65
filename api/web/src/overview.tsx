// The plant at a glance, or a part of it: its flow as a picture, or every unit as a card.

import { useEffect, useState } from "preact/hooks";
import { AlarmCount, standing } from "./alarms";
import { Crumbs } from "./crumbs";
import { figuresOf, follow, headline } from "./figures";
import { Flow } from "./flow_picture";
import { failure, now, plant, stateOf } from "./live";
import { number, since } from "./format";
import type { Asset, AssetState } from "./model";
import { at, href } from "./place";
import { ageOf, levelOf, sign, stateWord, tone } from "./state";

const DENSE_FROM = 12; // an area with more units than this is drawn as small tiles

function Freshness({ state }: { state: AssetState }) {
  return <span class={`fresh ${state.freshness.reason}`} title={state.freshness.explanation}>{ageOf(state, now.value)}</span>;
}

function Card({ asset }: { asset: Asset }) {
  const state = stateOf(asset.path).value;
  const colour = tone(state);
  const findings = state?.findings.length ?? 0;
  const shown = headline(figuresOf(asset.path).value);
  const level = state && !asset.signals.some((signal) => signal.role === "machine-state") ? levelOf(asset, state) : null;
  return (
    <a class={`card ${colour}`} href={href(asset.path)} data-asset={asset.path}>
      <header>
        <b>{asset.title}</b>
        {findings > 0 && <span class="findings" title={state!.findings.map((finding) => finding.message).join("\n")}>▲ {findings}</span>}
      </header>
      <div class="state">
        <strong>{level ? level : <><i aria-hidden="true">{sign(colour)}</i> {stateWord(state)}</>}</strong>
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

function Tile({ asset }: { asset: Asset }) {
  const state = stateOf(asset.path).value;
  return (
    <a class={`tile ${tone(state)}`} href={href(asset.path)} data-asset={asset.path}
      title={`${asset.title}: ${stateWord(state)}. ${state?.freshness.explanation ?? ""}`}>
      <small>{asset.name}</small>
      <b>{levelOf(asset, state) ?? "–"}</b>
    </a>
  );
}

function Area({ area, under, wanted }: { area: Asset; under: string; wanted: (asset: Asset) => boolean }) {
  const known = plant.value!;
  const within = under.length > area.path.length ? under : area.path;
  const units = known.assets.filter((asset) => asset.level === "unit" && asset.path.startsWith(`${within}/`) && wanted(asset));
  const state = stateOf(area.path).value;
  const dense = units.length > DENSE_FROM;
  if (!units.length) return null;
  return (
    <section class="area">
      <h3>
        <a href={href(area.path)}>{area.title}</a>
        {standing(area.path).length > 0 && <AlarmCount under={area.path} />}
        {!!state?.children?.total && <small>{state.children.running} of {state.children.total} running{state.children.down ? `, ${state.children.down} down` : ""}</small>}
      </h3>
      <div class={dense ? "tiles" : "cards"}>{units.map((one) => (dense ? <Tile key={one.path} asset={one} /> : <Card key={one.path} asset={one} />))}</div>
    </section>
  );
}

const SHOWN = "fabriquay.overview";
type Shown = "flow" | "units";

export function Overview({ under = "" }: { under?: string }) {
  const known = plant.value;
  const [shown, setShown] = useState<Shown>(localStorage.getItem(SHOWN) === "units" ? "units" : "flow");
  useEffect(() => (known ? follow(known.assets.filter((asset) => asset.level === "site").map((site) => site.path)) : undefined), [known, at.value]);
  if (!known) return <main class="empty">{failure.value || "Loading the plant …"}</main>;
  const choose = (next: Shown) => {
    localStorage.setItem(SHOWN, next);
    setShown(next);
  };
  const sites = known.assets.filter((asset) => asset.level === "site" && (!under || under === asset.path || under.startsWith(`${asset.path}/`)));
  return (
    <main>
      <div class="row">
        <Crumbs path={under} />
        <span class="spans" role="group" aria-label="how the plant is drawn">
          <button type="button" aria-pressed={shown === "flow"} onClick={() => choose("flow")}>Flow</button>
          <button type="button" aria-pressed={shown === "units"} onClick={() => choose("units")}>Units</button>
        </span>
      </div>
      {sites.map((site) => <Site key={site.path} site={site} under={under} shown={shown} />)}
    </main>
  );
}

function Site({ site, under, shown }: { site: Asset; under: string; shown: Shown }) {
  const known = plant.value!;
  const here = known.assets.find((asset) => asset.path === under) ?? site;
  const areas = known.assets.filter(
    (asset) => asset.level === "area" && asset.parent === site.path && (!under || asset.path === under || under === site.path || under.startsWith(`${asset.path}/`)),
  );
  const inFlow = new Set(known.flow.flatMap((link) => [link.source, link.target, link.buffer ?? ""]));
  const apart = (asset: Asset) => !inFlow.has(asset.path);
  return (
    <section class="site">
      <Headline asset={here} />
      {shown === "flow" && <Flow path={under || site.path} site={site.path} />}
      <div class="areas">{areas.map((area) => <Area key={area.path} area={area} under={under} wanted={shown === "flow" ? apart : () => true} />)}</div>
    </section>
  );
}

/** What a site, area or line makes, against plan, and how its units are. */
function Headline({ asset }: { asset: Asset }) {
  const state = stateOf(asset.path).value;
  const shown = headline(figuresOf(asset.path).value);
  const made = state?.throughput;
  return (
    <h2>
      <a href={href(asset.path)}>{asset.title}</a>
      {state?.children && (
        <span class="sums">
          <i class="dot running" />{state.children.running} running
          <i class="dot down" />{state.children.down} down
          <i class="dot waiting" />{state.children.total - state.children.running - state.children.down} other
        </span>
      )}
      {made && <span class="sums made"><b>{number(made.now_per_h === null ? null : Math.round(made.now_per_h))}</b> {asset.plan_per_h ? `of ${Math.round(asset.plan_per_h)} ` : ""}{made.unit}/h · <b>{number(made.this_shift)}</b> this shift{made.shift ? ` (${made.shift.name})` : ""}</span>}
      {shown && <b class="sums headline" title={shown.title}>{shown.name} {shown.value}</b>}
      <AlarmCount under={asset.path} />
      {asset.level === "site" && <a class="more" href={href(`plan/${asset.path}`)}>Plan and what-if ›</a>}
    </h2>
  );
}
