// A scenario while it is edited, as the API wants it, and running it: posted, asked for until it is done.

import { fetchJson, type Plant, type Posted, type Scenario, type Schemas } from "./model";

type Question = Posted<"/v1/scenarios">;
type Written = NonNullable<Question["changes"]>[number];
export type ChangeKind = Written["change"];
export type Change = {
  id: number; change: ChangeKind; asset: string; after_h: number; for_h: number; factor: number; capacity: number; count: number; calendar: string;
  stop: string; by_min: number;
};
export type Draft = { under: string; horizon_h: number; replications: number; changes: Change[] };

export const KINDS: Record<ChangeKind, string> = {
  down: "stands still", closed: "takes nothing on", speed: "works faster or slower", buffer: "another buffer size", added: "more equal units",
  shifts: "other shifts", demand: "more or less demand", maintenance: "a planned stop moves", "vessel-delayed": "the next vessel is late",
};
export const DOWN_H = 4;
const POLL_MS = 200;
const BUCKET_H = 0.5;

let numbered = 0;

export function newChange(change: ChangeKind, asset: string, plant: Plant, more: Partial<Change> = {}): Change {
  const calendar = plant.assets.find((one) => one.path === asset)?.calendar ?? Object.keys(plant.calendars)[0] ?? "";
  const stop = plant.calendars[calendar]?.stops[0] ?? "";
  const capacity = 2 * (plant.assets.find((one) => one.path === asset)?.capacity ?? 5);
  return { id: ++numbered, change, asset, after_h: 0, for_h: DOWN_H, factor: 1.1, capacity, count: 1, calendar, stop, by_min: 60, ...more };
}

/** Which assets a kind of change can be about. */
export function candidates(kind: ChangeKind, plant: Plant, site: string) {
  const here = plant.assets.filter((asset) => asset.path.startsWith(`${site}/`));
  if (kind === "buffer") return here.filter((asset) => asset.duty === null && asset.capacity !== null);
  if (kind === "vessel-delayed") return here.filter((asset) => asset.duty === "quay-crane");
  if (kind === "shifts") return here.filter((asset) => asset.level !== "unit" || asset.duty !== null);
  return here.filter((asset) => asset.duty !== null);
}

/** The document of POST /v1/scenarios. */
export function document(draft: Draft, title: string): Question {
  return {
    title,
    under: draft.under,
    horizon: draft.horizon_h * 3_600,
    replications: draft.replications,
    buckets: Math.min(Math.max(Math.round(draft.horizon_h / BUCKET_H), 8), 200),
    changes: draft.changes.map(written),
  };
}

function written(one: Change): Written {
  const { change, asset } = one;
  switch (change) {
    case "down":
    case "closed":
      return { change, asset, for: one.for_h * 3_600, after: one.after_h * 3_600 };
    case "speed":
      return { change, asset, factor: one.factor };
    case "buffer":
      return { change, asset, capacity: one.capacity };
    case "added":
      return { change, asset, count: one.count };
    case "shifts":
      return { change, asset, calendar: one.calendar };
    case "demand":
      return { change, factor: one.factor };
    case "maintenance":
      return { change, calendar: one.calendar, stop: one.stop, by_min: one.by_min };
    case "vessel-delayed":
      return { change, asset, by: one.for_h * 3_600 };
  }
}

export function titleOf(draft: Draft, plant: Plant): string {
  const name = (path: string) => plant.assets.find((asset) => asset.path === path)?.title ?? path;
  const words = draft.changes.map((one) => (one.change === "down" ? `${name(one.asset)} down ${one.for_h} h` : `${name(one.asset)} ${KINDS[one.change]}`));
  return (words.join(", ") || "the plant as it is").slice(0, 200);
}

/** Post it and wait; `told` hears how far it is. */
export async function run(body: Question, told: (progress: number, phase: string) => void): Promise<Scenario> {
  const { id } = await fetchJson<Schemas["ScenarioModel"]>("v1/scenarios", body);
  let scenario = await fetchJson<Scenario>(`v1/scenarios/${id}`);
  while (scenario.state === "waiting" || scenario.state === "running") {
    told(scenario.progress, scenario.state === "waiting" ? "waits for others" : scenario.phase);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    scenario = await fetchJson<Scenario>(`v1/scenarios/${id}`);
  }
  if (scenario.state === "failed") throw new Error(scenario.detail);
  return scenario;
}
