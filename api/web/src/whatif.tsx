// The what-if editor: what is to be different, sent to the simulation, its progress, and the answer beside the base case.

import { useEffect, useState } from "preact/hooks";
import { AnswerView } from "./answer";
import { Downtime } from "./downtime";
import { plant } from "./live";
import type { Answer, Scenario } from "./model";
import { KINDS, candidates, document, newChange, run, titleOf, type Change, type ChangeKind, type Draft } from "./scenario";

const HORIZONS = [8, 12, 24, 72, 168];
const REPLICATIONS = [200, 500, 1_000, 5_000];

export function WhatIf({ site }: { site: string }) {
  const known = plant.value!;
  const fresh: Draft = { under: site, horizon_h: 12, replications: 500, changes: [] };
  const [draft, setDraft] = useState(fresh);
  const [progress, setProgress] = useState<{ share: number; phase: string } | null>(null);
  const [problem, setProblem] = useState("");
  const [scenario, setScenario] = useState<Scenario | null>(null);
  useEffect(() => {
    setDraft(fresh);
    setScenario(null);
    setProblem("");
  }, [site]);
  const units = known.assets.filter((asset) => asset.duty !== null && asset.path.startsWith(`${site}/`));
  const put = (change: ChangeKind, asset: string, more: Partial<Change> = {}) => {
    const made = newChange(change, asset, known, more);
    setDraft((before) => ({ ...before, changes: [...before.changes, made] }));
    return made.id;
  };
  const edit = (id: number, more: Partial<Change>) => setDraft((before) => ({ ...before, changes: before.changes.map((one) => (one.id === id ? { ...one, ...more } : one)) }));
  const remove = (id: number) => setDraft((before) => ({ ...before, changes: before.changes.filter((one) => one.id !== id) }));
  const simulate = async () => {
    setProblem("");
    setProgress({ share: 0, phase: "" });
    try {
      setScenario(await run(document(draft, titleOf(draft, known)), (share, phase) => setProgress({ share, phase })));
    } catch (error) {
      setProblem((error as Error).message);
    }
    setProgress(null);
  };
  if (!units.length) return null;
  return (
    <section class="whatif" aria-label="what if">
      <h3>What if … <small>drag in a row: its unit stands still for so long. Simulated from the state of now.</small></h3>
      <Downtime units={units} horizon_h={draft.horizon_h} downs={draft.changes.filter((one) => one.change === "down")} put={(more) => put("down", more.asset, more)} edit={edit} remove={remove} />
      <div class="row controls">
        <label>Look ahead <select value={draft.horizon_h} onChange={(event) => setDraft({ ...draft, horizon_h: Number(event.currentTarget.value) })}>{HORIZONS.map((one) => <option key={one} value={one}>{one < 72 ? `${one} h` : `${one / 24} days`}</option>)}</select></label>
        <label>Futures <select value={draft.replications} onChange={(event) => setDraft({ ...draft, replications: Number(event.currentTarget.value) })}>{REPLICATIONS.map((one) => <option key={one} value={one}>{one}</option>)}</select></label>
        <label>Add a change <select value="" onChange={(event) => { const kind = event.currentTarget.value as ChangeKind; event.currentTarget.value = ""; if (kind) put(kind, candidates(kind, known, site)[0]?.path ?? site); }}>
          <option value="">choose …</option>
          {Object.entries(KINDS).map(([kind, word]) => <option key={kind} value={kind} disabled={!candidates(kind as ChangeKind, known, site).length}>{word}</option>)}
        </select></label>
        <button type="button" class="primary" disabled={progress !== null} onClick={simulate}>Simulate</button>
        {progress !== null && <span role="status"><progress max={1} value={progress.share} aria-label="progress of the simulation" /> {progress.phase}</span>}
        {draft.changes.length > 0 && <button type="button" onClick={() => setDraft({ ...draft, changes: [] })}>Clear</button>}
      </div>
      {draft.changes.length > 0 && <ul class="changes">{draft.changes.map((one) => <ChangeRow key={one.id} one={one} site={site} edit={edit} remove={remove} />)}</ul>}
      {problem && <p class="problem" role="alert">{problem}</p>}
      {scenario?.answer && (
        <AnswerView scenario={scenario} answer={scenario.answer as Answer} />
      )}
    </section>
  );
}

type RowProps = { one: Change; site: string; edit: (id: number, more: Partial<Change>) => void; remove: (id: number) => void };

function ChangeRow({ one, site, edit, remove }: RowProps) {
  const known = plant.value!;
  const figure = (label: string, key: "after_h" | "for_h" | "factor" | "capacity" | "count" | "by_min", step: number, least = step) => (
    <label>{label} <input type="number" min={least} step={step} value={one[key]} onInput={(event) => Number.isFinite(event.currentTarget.valueAsNumber) && edit(one.id, { [key]: event.currentTarget.valueAsNumber })} /></label>
  );
  const choice = (label: string, key: "asset" | "calendar" | "stop", options: { value: string; word: string }[]) => (
    <label>{label} <select value={one[key]} onChange={(event) => edit(one.id, { [key]: event.currentTarget.value })}>{options.map(({ value, word }) => <option key={value} value={value}>{word}</option>)}</select></label>
  );
  const assets = candidates(one.change, known, site).map((asset) => ({ value: asset.path, word: asset.title }));
  const calendars = Object.keys(known.calendars).map((name) => ({ value: name, word: name }));
  const stops = (known.calendars[one.calendar]?.stops ?? []).map((name) => ({ value: name, word: name }));
  return (
    <li>
      <b>{KINDS[one.change]}</b>
      {one.change !== "demand" && one.change !== "maintenance" && choice("what", "asset", assets)}
      {(one.change === "down" || one.change === "closed") && figure("after h", "after_h", 0.25, 0)}
      {(one.change === "down" || one.change === "closed") && figure("for h", "for_h", 0.25)}
      {one.change === "vessel-delayed" && figure("by h", "for_h", 0.25)}
      {(one.change === "speed" || one.change === "demand") && figure("times", "factor", 0.05)}
      {one.change === "buffer" && figure("places", "capacity", 1)}
      {one.change === "added" && figure("more", "count", 1)}
      {(one.change === "shifts" || one.change === "maintenance") && choice("calendar", "calendar", calendars)}
      {one.change === "maintenance" && choice("stop", "stop", stops)}
      {one.change === "maintenance" && figure("later by min", "by_min", 15, -1_440)}
      <button type="button" aria-label="remove this change" onClick={() => remove(one.id)}>✕</button>
    </li>
  );
}
