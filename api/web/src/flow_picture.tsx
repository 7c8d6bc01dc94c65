// The flow of a site, area or line as a picture: who feeds whom, how each is, how full the buffers are, who holds up the rest.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { HORIZON_H, percent, riskWords, useFacts, type Facts } from "./facts";
import { BERTH, BUFFER, GAP, MACHINE, TILE, layout, memberColumns, memberSize, type Box, type Edge, type Layout } from "./flow";
import { number } from "./format";
import { now, plant, stateOf } from "./live";
import { standing } from "./alarms";
import type { Asset, AssetState, Risk } from "./model";
import { href } from "./place";
import { ageOf, levelOf, sign, stateWord, tone } from "./state";

const MARGIN = 14;
const TURN_AT = 1.12; // a picture that is so much wider than its place is turned, flowing down
const RING = { x: MACHINE.width - 17, y: 17, r: 10 };

export function Flow({ path, site }: { path: string; site: string }) {
  const place = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  const facts = useFacts(site);
  const known = plant.value!;
  useEffect(() => {
    const watcher = new ResizeObserver(([entry]) => setWidth(entry!.contentRect.width));
    watcher.observe(place.current!);
    return () => watcher.disconnect();
  }, []);
  const drawn = useMemo(() => {
    const across = layout(known, path, false);
    return width && across.width + 2 * MARGIN > width * TURN_AT ? layout(known, path, true) : across;
  }, [known, path, width]);
  return <div class="flow" ref={place}>{width > 0 && drawn.boxes.length > 0 && <Picture drawn={drawn} facts={facts} />}</div>;
}

function Picture({ drawn, facts }: { drawn: Layout; facts: Facts }) {
  const [width, height] = [drawn.width + 2 * MARGIN, drawn.height + 2 * MARGIN];
  return (
    <svg viewBox={`${-MARGIN} ${-MARGIN} ${width} ${height}`} style={{ maxWidth: `${width}px` }} role="group" aria-label="flow of material">
      <defs>
        <marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" class="head" /></marker>
      </defs>
      {drawn.edges.map((edge) => <Line key={`${edge.from.id}>${edge.to.id}`} edge={edge} down={drawn.down} />)}
      {drawn.boxes.map((box) => <BoxOf key={box.id} box={box} facts={facts} />)}
    </svg>
  );
}

function Line({ edge: { from, to }, down }: { edge: Edge; down: boolean }) {
  const runs = from.assets.some((asset) => tone(stateOf(asset.path).value) === "running");
  const [x1, y1] = down ? [from.x + from.width / 2, from.y + from.height] : [from.x + from.width, from.y + from.height / 2];
  const [x2, y2] = down ? [to.x + to.width / 2, to.y - 2] : [to.x - 2, to.y + to.height / 2];
  const bend = (down ? y2 - y1 : x2 - x1) / 2;
  const way = down ? `M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}` : `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
  return <path class={`edge ${runs ? "runs" : ""}`} d={way} marker-end="url(#arrow)" />;
}

function BoxOf({ box, facts }: { box: Box; facts: Facts }) {
  if (box.kind === "tiles") return <Tiles box={box} />;
  const Member = box.kind === "buffer" ? Buffer : box.kind === "berth" ? Berth : Machine;
  const [size, columns] = [memberSize(box.kind), memberColumns(box.assets.length)];
  const x = (index: number) => (index % columns) * (size.width + GAP.member);
  const y = (index: number) => Math.floor(index / columns) * (size.height + GAP.member);
  return (
    <g transform={`translate(${box.x} ${box.y})`} class={box.outside ? "outside" : ""}>
      {box.assets.map((asset, index) => (
        <g key={asset.path} transform={`translate(${x(index)} ${y(index)})`}><Member asset={asset} facts={facts} /></g>
      ))}
    </g>
  );
}

type MemberProps = { asset: Asset; facts: Facts };

function Machine({ asset, facts }: MemberProps) {
  const state = stateOf(asset.path).value;
  const colour = tone(state);
  const held = state !== null && facts.bottleneck === asset.path; // nothing is said of what has no data
  const share = facts.shares.get(asset.path);
  const alarms = standing(asset.path).filter((alarm) => alarm.announced).length;
  const made = state?.throughput;
  const words = `${asset.title}: ${stateWord(state)}. ${made ? `${number(made.now_per_h)} ${made.unit} per hour${asset.plan_per_h ? ` of ${number(asset.plan_per_h)} planned` : ""}. ` : ""}${alarms ? `${alarms} alarms. ` : ""}${held ? "Bottleneck now. " : ""}${riskWords(facts.risks.get(asset.path))}. ${state?.freshness.explanation ?? ""}`;
  return (
    <a href={href(asset.path)} class={`node ${colour} ${held ? "held" : ""}`} data-asset={asset.path}>
      <title>{words}{share ? `\nBottleneck in ${percent(share)} of the last 2 h` : ""}</title>
      <rect class="body" width={MACHINE.width} height={MACHINE.height} rx="7" />
      <rect class="mark" width="6" height={MACHINE.height} rx="3" />
      <text class="name" x="14" y="20">{short(asset.title, 17)}</text>
      <text class="state" x="14" y="43"><tspan class="sign">{sign(colour)}</tspan> {short(stateWord(state) || "–", 12)}</text>
      {made && <Rate asset={asset} state={state} />}
      {!made && <text class="small" x="14" y="64">{levelOf(asset, state) ?? ""}</text>}
      <text class={`small age ${state?.freshness.reason ?? "never"}`} x="14" y="85">{ageOf(state, now.value)}</text>
      {asset.servers !== null && asset.servers > 1 && <Rollers />}
      {alarms > 0 && <text class="small alarmed" x={MACHINE.width - 8} y="43" text-anchor="end">▲ {alarms}</text>}
      {held && <text class="small held-word" x={MACHINE.width - 8} y="85" text-anchor="end">◆ bottleneck</text>}
      <Ring risk={facts.risks.get(asset.path)} />
    </a>
  );
}

/** Throughput now against plan: a bar, and the figures. */
function Rate({ asset, state }: { asset: Asset; state: AssetState | null }) {
  const rate = state?.throughput?.now_per_h ?? null;
  const full = MACHINE.width - 28;
  const share = rate === null || !asset.plan_per_h ? 0 : Math.min(1, rate / asset.plan_per_h);
  return (
    <>
      <text class="rate" x="14" y="63">{number(rate === null ? null : Math.round(rate))}<tspan class="small"> {asset.plan_per_h ? `of ${Math.round(asset.plan_per_h)} /h` : "/h"}</tspan></text>
      <rect class="plan" x="14" y="68" width={full} height="4" rx="2" />
      <rect class="done" x="14" y="68" width={full * share} height="4" rx="2" />
    </>
  );
}

/** The fault risk of the next day as an arc; dashed where it was not calibrated, empty where there is none. */
function Ring({ risk }: { risk: Risk | undefined }) {
  const day = risk?.horizons.find((one) => one.horizon_h === HORIZON_H);
  const round = 2 * Math.PI * RING.r;
  const p = day?.p ?? 0;
  return (
    <g class={`ring ${p >= 0.5 ? "high" : p >= 0.2 ? "raised" : "low"}`} data-risk={day?.p ?? ""}>
      <circle class={day?.calibrated ? "track" : "track unsure"} cx={RING.x} cy={RING.y} r={RING.r} />
      {day?.p != null && <circle class="arc" cx={RING.x} cy={RING.y} r={RING.r} stroke-dasharray={`${round * Math.max(p, 0.02)} ${round}`} transform={`rotate(-90 ${RING.x} ${RING.y})`} />}
      {day?.p != null && <text x={RING.x} y={RING.y + 3} text-anchor="middle">{Math.round(100 * p)}</text>}
    </g>
  );
}

/** Several places one behind the other: a conveyor. */
function Rollers() {
  return <g class="rollers">{Array.from({ length: 12 }, (_, index) => <circle key={index} cx={18 + (index * (MACHINE.width - 36)) / 11} cy={MACHINE.height} r="4" />)}</g>;
}

function Buffer({ asset }: MemberProps) {
  const state = stateOf(asset.path).value;
  const signal = asset.signals.find((one) => one.role === "buffer-level");
  const level = signal && state?.signals?.[signal.name]?.value;
  const filled = typeof level === "number" && asset.capacity ? Math.min(1, level / asset.capacity) : 0;
  const colour = filled >= 1 ? "full" : filled <= 0 ? "empty" : "";
  const words = `${asset.title}: ${typeof level === "number" ? `${number(level)} of ${asset.capacity}` : "level unknown"}. ${state?.freshness.explanation ?? ""}`;
  const tank = { x: 18, y: 22, width: BUFFER.width - 36, height: 46 };
  return (
    <a href={href(asset.path)} class={`node buffer ${tone(state) === "old" ? "old" : colour}`} data-asset={asset.path}>
      <title>{words}</title>
      <rect class="ground" width={BUFFER.width} height={BUFFER.height} />
      <text class="name" x={BUFFER.width / 2} y="14" text-anchor="middle">{short(asset.title, 13)}</text>
      <rect class="fill" x={tank.x} y={tank.y + tank.height * (1 - filled)} width={tank.width} height={tank.height * filled} />
      <path class="tank" d={`M${tank.x} ${tank.y}v${tank.height}h${tank.width}v${-tank.height}`} />
      <text class="rate" x={BUFFER.width / 2} y={tank.y + 29} text-anchor="middle">{typeof level === "number" ? number(level) : "–"}</text>
      <text class={`small age ${state?.freshness.reason ?? "never"}`} x={BUFFER.width / 2} y="85" text-anchor="middle">{filled >= 1 ? "full" : `of ${asset.capacity}`}{tone(state) === "old" ? " · old" : ""}</text>
    </a>
  );
}

/** Where a quay crane's ship lies; its name is the vessel call. */
function Berth({ asset }: MemberProps) {
  const state = stateOf(asset.path).value;
  const signal = asset.signals.find((one) => one.role === "order");
  const call = signal ? String(state?.signals?.[signal.name]?.value ?? "") : "";
  return (
    <g class={`node berth ${call ? "taken" : ""}`} role="img" aria-label={`Berth at ${asset.title}: ${call || "no vessel"}`}>
      <title>{`Berth at ${asset.title}: ${call || "no vessel"}`}</title>
      <path class="hull" d={`M6 46H${BERTH.width - 6}L${BERTH.width - 20} 68H20z`} />
      {call && <path class="boxes" d="M24 32h14v12H24zM42 32h14v12H42zM60 32h14v12H60zM42 18h14v12H42z" />}
      <text class="small" x={BERTH.width / 2} y="84" text-anchor="middle">{call ? short(call, 15) : "no vessel"}</text>
    </g>
  );
}

function Tiles({ box }: { box: Box }) {
  const columns = Math.min(TILE.columns, box.assets.length);
  const parent = plant.value?.assets.find((asset) => asset.path === box.assets[0]!.parent);
  return (
    <g transform={`translate(${box.x} ${box.y})`} class={`group ${box.outside ? "outside" : ""}`}>
      <rect class="ground" width={box.width} height={box.height} rx="7" />
      <text class="name" x="8" y="15">{parent?.title ?? ""}</text>
      {box.assets.map((asset, index) => {
        const [x, y] = [TILE.gap + (index % columns) * (TILE.width + TILE.gap), 20 + Math.floor(index / columns) * (TILE.height + TILE.gap)];
        return <g key={asset.path} transform={`translate(${x} ${y})`}><SmallTile asset={asset} /></g>;
      })}
    </g>
  );
}

function SmallTile({ asset }: { asset: Asset }) {
  const state = stateOf(asset.path).value;
  const colour = tone(state);
  const words = `${asset.title}: ${stateWord(state)} ${levelOf(asset, state) ?? ""}`;
  return (
    <a href={href(asset.path)} class={`node ${colour}`} data-asset={asset.path}>
      <title>{words}</title>
      <rect class="body" width={TILE.width} height={TILE.height} rx="4" />
      <rect class="mark" width="4" height={TILE.height} rx="2" />
      <text class="small" x="9" y="14">{asset.name}</text>
      <text class="value" x="9" y="28">{short(levelOf(asset, state) ?? "–", 9)}</text>
    </a>
  );
}

const short = (text: string, most: number): string => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

