// Key figures of an asset, and what each is made of: click one, and it leads to the intervals and samples behind it.

import { useState } from "preact/hooks";
import { lastSeconds, under, useAsked } from "./ask";
import { percent } from "./facts";
import { clock, number, span } from "./format";
import type { Asset, Got, KpiRow, Lineage } from "./model";
import { at } from "./place";
import { Reclassify } from "./reclassify";
import { Timeline } from "./timeline";

const SPAN_S = 28_800;
type Shown = { name: string; title: string; formula: string; elements: string[]; quantities: string[]; share?: boolean; unit?: string };

const RATIOS: Shown[] = [
  { name: "oee", title: "OEE", formula: "availability × effectiveness × quality", elements: ["production", "setup", "failure", "minor-stop", "delay", "starved", "blocked"], quantities: ["good", "scrap"], share: true },
  { name: "availability", title: "Availability", formula: "production time ÷ planned busy time", elements: ["production", "setup", "failure", "delay", "starved", "blocked"], quantities: [], share: true },
  { name: "effectiveness", title: "Effectiveness", formula: "ideal cycle × parts ÷ production time", elements: ["production"], quantities: ["good", "scrap", "rework"], share: true },
  { name: "quality_ratio", title: "Quality", formula: "good parts ÷ all parts", elements: [], quantities: ["good", "scrap", "rework"], share: true },
  { name: "throughput_per_h", title: "Throughput", formula: "good parts and moves ÷ hours worked", elements: [], quantities: ["good", "moves"], unit: "/h" },
  { name: "gross_crane_rate_per_h", title: "Gross crane rate", formula: "moves ÷ hours with a vessel call", elements: ["production", "delay", "starved", "blocked"], quantities: ["moves"], unit: "moves/h" },
  { name: "mtbf_s", title: "Time between failures", formula: "production and setup time ÷ (failures + 1)", elements: ["production", "setup"], quantities: [] },
  { name: "mttr_s", title: "Time to repair", formula: "failure time ÷ (failures + 1)", elements: ["failure"], quantities: [] },
];

export function Figures({ asset }: { asset: Asset }) {
  const [chosen, choose] = useState<Shown | null>(null);
  const [interval, chooseInterval] = useState("");
  const window = lastSeconds(SPAN_S, at.value);
  const { answer, problem } = useAsked<Got<"/v1/kpis">>(`v1/kpis?${under(asset.path)}&${window}`);
  const isMachine = asset.signals.some((signal) => signal.role === "machine-state");
  const { answer: lineage } = useAsked<Lineage>(isMachine ? `v1/lineage?asset=${encodeURIComponent(asset.path)}&${window}` : null, 30_000);
  const row = answer?.rows[0];
  const shown = RATIOS.filter((one) => row && row.figures[one.name] != null);
  return (
    <section>
      {lineage && (
        <>
          <h3>States of the last 8 h</h3>
          <Timeline intervals={lineage.intervals} start={Date.parse(lineage.start)} end={Date.parse(lineage.end)} chosen={interval} choose={chooseInterval} />
          {at.value === null && <Reclassify asset={asset.path} intervals={lineage.intervals} chosen={interval} choose={chooseInterval} />}
        </>
      )}
      {(shown.length > 0 || problem) && <h3>Key figures of the last 8 h <small>whole hours; click one to see what it is made of</small></h3>}
      {problem && <p class="problem">The key figures cannot be loaded: {problem}</p>}
      <div class="kpis" role="group" aria-label="key figures">
        {shown.map((one) => (
          <button type="button" key={one.name} class="kpi" aria-expanded={chosen?.name === one.name} onClick={() => choose(chosen?.name === one.name ? null : one)}>
            <small>{one.title}</small><b>{written(one, row!.figures[one.name]!)}</b>
          </button>
        ))}
      </div>
      {chosen && row && <Made of={chosen} row={row} lineage={lineage} />}
    </section>
  );
}

function written(one: Shown, value: number): string {
  if (one.share) return percent(value);
  return one.unit ? `${number(value)} ${one.unit}` : span(value);
}

function Made({ of, row, lineage }: { of: Shown; row: KpiRow; lineage: Lineage | null }) {
  const seconds = of.elements.filter((name) => row.seconds[name]);
  const amounts = of.quantities.filter((name) => row.quantities[name]);
  return (
    <div class="made-of" role="region" aria-label={`What ${of.title} is made of`} data-lineage={of.name}>
      <p><b>{of.title} = {of.formula}</b>, {clock(row.start)} to {clock(row.end)}</p>
      <ul>
        {seconds.map((name) => <li key={name}>{name}: <b>{span(row.seconds[name]!)}</b>{lineage && `, ${lineage.intervals.filter((one) => one.element === name).length} intervals`}</li>)}
        {amounts.map((name) => <li key={name}>{name}: <b>{number(row.quantities[name]!)}</b>{lineage && `, ${lineage.increments.filter((one) => one.quantity === name).length} steps of the counter`}</li>)}
        {row.estimated > 0 && <li>{number(row.estimated)} of them were counted across gaps: their time is an estimate</li>}
        {row.remarks.map((remark) => <li key={remark}>{remark}</li>)}
      </ul>
      {lineage && (
        <p class="quiet">From {Object.entries(lineage.samples).map(([role, count]) => `${number(count)} samples of ${lineage.signals[role] ?? role}`).join(", ")}.
          {lineage.reclassified.map((one) => <span key={one.id}> {one.operator} said that {clock(one.start)} to {clock(one.end)} was {one.reason}{one.comment && `: ${one.comment}`}.</span>)}
        </p>
      )}
    </div>
  );
}
