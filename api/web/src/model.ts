// What the public API takes and delivers, by its OpenAPI document: `make types` writes api.gen.ts. Nothing here is private to this page.

import type { components, paths } from "./api.gen";
import { askToSignIn } from "./session";

export type Schemas = components["schemas"];
type Json<Content> = { content: { "application/json": Content } };
/** What an address answers in JSON when it is asked. */
export type Got<Path extends keyof paths> = paths[Path] extends { get: { responses: { 200: Json<infer Answer> } } } ? Answer : never;
/** The body that is posted to an address. */
export type Posted<Path extends keyof paths> = paths[Path] extends { post: { requestBody: Json<infer Body> } } ? Body : never;

export type Plant = Got<"/v1/plant">;
export type Asset = Schemas["AssetModel"];
export type Signal = Schemas["SignalModel"];
export type AssetState = Schemas["AssetState"];
export type Value = Schemas["SignalValue"];
export type Alarm = Schemas["AlarmModel"];
export type KeptFinding = Schemas["KeptFinding"];
export type Series = Schemas["SeriesModel"];
export type Gap = Schemas["GapModel"];
export type KpiRow = Schemas["KpiRowModel"];
export type Interval = Schemas["IntervalModel"];
export type Lineage = Got<"/v1/lineage">;
export type Risk = Schemas["RiskModel"];
export type Horizon = Schemas["HorizonModel"];
export type Forecasts = Got<"/v1/forecasts">;
export type Scenario = Got<"/v1/scenarios/{id}">;

/** The evidence of an anomaly: the document leaves it open, since each kind of alarm has its own. */
export type Why = Partial<Pick<KeptFinding, "p" | "expected_per_day" | "baseline" | "contributions">>;

/** What an agent may add to its report: the document names only what all say, also the last will of one that is offline. */
export type Gateway = Schemas["GatewayModel"] & {
  at?: string;
  version?: string;
  configuration?: string;
  uptime_s?: number;
  memory_bytes?: number;
  backlog?: { batches: number; readings?: number; bytes: number; oldest_at: string | null };
  drain?: { allowed_bytes_per_s: number | null; bytes_per_s: number; empty_in_s: number | null };
  drops?: { batches: number; readings: number; by_priority?: Record<string, number> };
  clock_offset_s?: number | null;
  certificate_days?: number | null;
  desired?: Record<string, unknown> | null;
  sources?: {
    name: string; kind: string; status: string; detail?: string; since?: string; values?: number; values_per_s?: number;
    newest_at?: string | null; facts?: Record<string, unknown>;
  }[];
};

/** Frames of the WebSocket, and the alarms of an area in them, are not in the document: OpenAPI knows requests only. */
export type ScopeAlarms = { path: string; version: number; action: number; unacknowledged: number; total: number; alarms: Alarm[] };
export type Frame =
  | { type: "hello"; format: number; revision: string }
  | { type: "states"; id: string; full: boolean; states: AssetState[]; gateways: Gateway[]; alarms?: ScopeAlarms[]; removed?: string[] }
  | ({ type: "heartbeat" } & Schemas["FeedModel"]);

/** A scenario's answer: open in the document, told in docs/reference/whatif.md. */
export type Answer = {
  title: string; under: string; horizon_s: number; replications: number; engine: string; trust: string;
  outputs: { site: string; base: Quantiles; changed: Quantiles; difference: number; low: number; high: number; at_most_per_h: number }[];
  fans: { site: string; end_s: number[]; base: Record<string, number[]>; changed: Record<string, number[]> }[];
  assets: {
    asset: string; base_busy: number; busy: number; down: number; blocked: number; base_bottleneck: number; bottleneck: number;
    starves_after_s: number | null; recovers_after_s: number | null;
  }[];
  sensitivity: { asset: string; gain_per_h: number; low: number; high: number }[];
  bottlenecks: Record<string, string | null>;
  takeovers: { asset: string; words: string }[];
};
export type Quantiles = { mean: number; q05: number; q25: number; q50: number; q75: number; q95: number };

/** With a body: an action that is posted; its key makes trying again safe. */
export async function fetchJson<T>(address: string, body?: object, key = ""): Promise<T> {
  const posted = body && { method: "POST", body: JSON.stringify(body) };
  const answer = await fetch(address, {
    ...posted,
    headers: { accept: "application/json", ...(body && { "content-type": "application/json", ...(key && { "idempotency-key": key }) }) },
  });
  if (!answer.ok) {
    const problem: Partial<Schemas["Problem"]> = await answer.json().catch(() => ({}));
    const needsSignIn = answer.status === 401 || String(problem.type).endsWith(":choose-a-password");
    if (needsSignIn && (await askToSignIn(body ? "This needs to know who you are." : ""))) return fetchJson(address, body, key);
    throw new Error(problem.detail ?? problem.title ?? `${answer.status} ${answer.statusText}`);
  }
  return answer.json();
}
