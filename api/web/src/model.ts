// What the public API delivers; see /openapi.json. Nothing here is private to this page.

import { askToSignIn } from "./session";

export type MachineState = { name: string; category: string; since: string };
export type Shift = { name: string; started_at: string; ends_at: string };
export type Throughput = { unit: string; now_per_h: number | null; this_shift: number | null; shift: Shift | null };
export type Freshness = { newest_at: string | null; age_s: number | null; reason: string; explanation: string };
export type Contribution = { signal: string; share: number; sign: -1 | 0 | 1 };
export type Finding = {
  id: string; signal: string; detector: string; since: string; score: number; message: string;
  p?: number | null; expected_per_day?: number | null; baseline?: { centre: number; spread: number | null } | null;
  contributions?: Contribution[]; regime?: string; model?: string; earlier?: string | null;
};
export type Why = Pick<Finding, "p" | "expected_per_day" | "baseline" | "contributions">;
export type Alarm = {
  id: string;
  kind: string;
  name: string;
  title: string;
  source: string;
  asset: string;
  scope: string;
  priority: "low" | "medium" | "high" | "critical";
  phase: string;
  announced: boolean;
  since: string | null;
  occurrence: number;
  message: string;
  why: Why;
  shelf: { until: string | null; operator: string; comment: string } | null;
  suppressed_by: string[];
  grouped: boolean;
  actions: string[];
};
export type ScopeAlarms = { path: string; version: number; action: number; unacknowledged: number; total: number; alarms: Alarm[] };
export type Value = { value: number | string | null; time: string | null; received_at: string | null; quality: string; fresh: boolean };
export type Children = { running: number; down: number; total: number };

export type AssetState = {
  path: string;
  at: string;
  seq: number;
  machine_state: MachineState | null;
  throughput: Throughput | null;
  health: "good" | "warning" | "bad" | "unknown";
  freshness: Freshness;
  findings: Finding[];
  signals: Record<string, Value>;
  children?: Children;
  gateways?: string[]; // by which its values came; units only
};

export type Gateway = {
  node: string;
  status: string;
  at: string;
  problems?: string[];
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

export type Signal = {
  path: string;
  name: string;
  title: string;
  kind: "measurement" | "counter" | "state" | "text";
  unit: string;
  low: number | null;
  high: number | null;
  role: string | null;
  period_s: number;
  stale_after_s: number;
  states: Record<string, { name: string; category: string }>;
};

export type Asset = {
  path: string;
  name: string;
  title: string;
  level: "site" | "area" | "line" | "unit";
  type: string;
  parent: string | null;
  capacity: number | null;
  duty: "machine" | "quay-crane" | "carrier" | "yard-crane" | "gate-in" | "gate-out" | null;
  servers: number | null;
  plan_per_h: number | null;
  calendar: string;
  signals: Signal[];
};

export type Plant = {
  enterprise: string;
  title: string;
  revision: string;
  assets: Asset[];
  calendars: Record<string, { shifts: string[]; stops: string[] }>;
  flow: { source: string; target: string; buffer: string | null }[];
};

export type Bottlenecks = {
  now: string | null;
  shares: { asset: string; sole: number; shifting: number; starved: number; blocked: number }[];
  chain: { asset: string; start: string; end: string }[];
};
export type Horizon = {
  horizon_h: number; p: number | null; low: number | null; high: number | null; basis: string; calibrated: boolean; failures: number;
  reasons: { feature: string; value: number | null; log_odds: number }[];
};
export type Risk = {
  asset: string; at: string | null; model: number | null; horizons: Horizon[];
  remaining_life: { hours: number; low: number; high: number; cap: number; failures: number } | null;
};
export type Risks = { risks: Risk[] };
export type KeptFinding = Finding & { asset: string; until: string | null };

export type Frame =
  | { type: "hello"; format: number; revision: string }
  | { type: "states"; id: string; full: boolean; states: AssetState[]; gateways: Gateway[]; alarms?: ScopeAlarms[]; removed?: string[] }
  | { type: "heartbeat"; at?: string; status?: string };

export type Gap = { start: string; end: string; cause: string; detail: string };
export type Series = {
  unit: string; reduced: boolean; time_ms: number[]; value: (number | null)[]; quality: number[]; gaps: Gap[]; coverage: number;
};

export type KpiRow = {
  asset: string; start: string; end: string; label: string; figures: Record<string, number | null>; seconds: Record<string, number>;
  quantities: Record<string, number>; estimated: number; remarks: string[];
};
export type Interval = { start: string; end: string; element: string; state: string | null; reason: string | null; plan: string };
export type Lineage = {
  asset: string; start: string; end: string; signals: Record<string, string>; samples: Record<string, number>; intervals: Interval[];
  increments: { quantity: string; at: string; parts: number; estimated: boolean }[];
  reclassified: { id: number; start: string; end: string; reason: string; operator: string; comment: string }[];
};
export type MaintenanceEvent = { id: string; at: string; until_at: string | null; kind: string; component: string; comment: string; source: string };

export type Replayed = {
  read: number; raised: number; raised_per_day: number; active_share: number; per_day: { day: string; raised: number }[];
  episodes: { raised_at: string; cleared_at: string | null; message: string }[];
};
export type AlarmReport = {
  raised: number; per_operator_h: number; target_per_operator_h: number; most_in_ten_minutes: number; flood_share: number;
  bad_actors: { id: string; title: string; source: string }[];
  precision: { detector: string; real: number; false: number; known: number; precision: number; low: number; high: number }[];
};
export type Quantiles = { mean: number; q05: number; q25: number; q50: number; q75: number; q95: number };
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
export type Scenario = { id: string; title: string; state: "waiting" | "running" | "done" | "failed"; phase: string; progress: number; seconds: number; detail: string; answer: Answer | null };
export type Accuracy = { asset: string[]; by: string[]; days_ahead: number[]; count: number[]; inside_50: number[]; inside_80: number[]; inside_95: number[]; mase: (number | null)[] };

/** A table: columns of equal length. */
export type Forecasts = {
  levels: number[];
  asset: string[];
  name: string[];
  origin: string[];
  start: string[];
  end: string[];
  unit: string[];
  mean: number[];
  quantiles: number[][];
  adjusted_mean: number[];
  maturity: string[];
};

/** With a body: an action that is posted; its key makes trying again safe. */
export async function fetchJson<T>(address: string, body?: object, key = ""): Promise<T> {
  const posted = body && { method: "POST", body: JSON.stringify(body) };
  const answer = await fetch(address, {
    ...posted,
    headers: { accept: "application/json", ...(body && { "content-type": "application/json", ...(key && { "idempotency-key": key }) }) },
  });
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    const needsSignIn = answer.status === 401 || String(problem.type).endsWith(":choose-a-password");
    if (needsSignIn && (await askToSignIn(body ? "This needs to know who you are." : ""))) return fetchJson(address, body, key);
    throw new Error(problem.detail ?? problem.title ?? `${answer.status} ${answer.statusText}`);
  }
  return answer.json();
}
