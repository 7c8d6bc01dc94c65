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
};

export type Gateway = {
  node: string;
  status: string;
  at: string;
  problems?: string[];
  backlog?: { batches: number; bytes: number; oldest_at: string | null };
  sources?: { name: string; kind: string; status: string; detail?: string; values_per_s?: number }[];
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
  states: Record<string, { name: string; category: string }>;
};

export type Asset = {
  path: string;
  name: string;
  title: string;
  level: "site" | "area" | "line" | "unit";
  type: string;
  parent: string | null;
  signals: Signal[];
};

export type Plant = { enterprise: string; revision: string; assets: Asset[] };

export type Frame =
  | { type: "hello"; format: number; revision: string }
  | { type: "states"; cursor: number; full: boolean; states: AssetState[]; gateways: Gateway[]; alarms?: ScopeAlarms[]; removed?: string[] }
  | { type: "heartbeat"; at?: string; status?: string };

export type Series = { unit: string; reduced: boolean; time_ms: number[]; value: (number | null)[]; quality: number[] };

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
    headers: { accept: "application/json", ...(body && { "content-type": "application/json", "idempotency-key": key }) },
  });
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    const needsSignIn = answer.status === 401 || String(problem.type).endsWith(":choose-a-password");
    if (needsSignIn && (await askToSignIn(body ? "This needs to know who you are." : ""))) return fetchJson(address, body, key);
    throw new Error(problem.detail ?? problem.title ?? `${answer.status} ${answer.statusText}`);
  }
  return answer.json();
}
