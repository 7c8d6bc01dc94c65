// An asset's state as colour, sign and words; colour is never the only carrier.

import { number, span, unit } from "./format";
import type { Asset, AssetState } from "./model";

export type Tone = "running" | "down" | "waiting" | "old" | "unknown";

const SIGNS: Record<Tone, string> = { running: "▶", down: "✖", waiting: "‖", old: "◷", unknown: "?" };

export function tone(state: AssetState | null): Tone {
  if (!state || state.freshness.reason === "never") return "unknown";
  if (state.freshness.reason !== "live" && state.freshness.reason !== "late") return "old";
  const machine = state.machine_state;
  if (!machine) return state.health === "bad" ? "down" : state.health === "warning" ? "waiting" : "running";
  if (machine.category === "Executing") return "running";
  if (machine.category === "OutOfService") return "down";
  return machine.category === "NotExecuting" ? "waiting" : "unknown";
}

export const sign = (colour: Tone): string => SIGNS[colour];

/** Finer words than the colour alone. */
export function stateWord(state: AssetState | null): string {
  if (!state) return "no data";
  if (!state.machine_state) return state.freshness.reason === "never" ? "no data" : state.health === "unknown" ? "" : state.health;
  return state.machine_state.name;
}

/** How old the newest value is, in a few words. */
export function ageOf(state: AssetState | null, now: number): string {
  const newest = state?.freshness.newest_at;
  if (!state || !newest) return "no data yet";
  const age = Math.max(0, (now - Date.parse(newest)) / 1_000);
  return state.freshness.reason === "live" ? `${span(age)} old` : `${state.freshness.reason} · ${span(age)}`;
}

/** What an asset without a machine state shows first: its first measurement, e.g. a buffer's level. */
export function levelOf(asset: Asset, state: AssetState | null): string | null {
  const shown = asset.signals.find((signal) => signal.kind === "measurement");
  const value = shown && state?.signals?.[shown.name];
  return value ? `${number(value.value)}${shown.high !== null && shown.unit === "" ? ` of ${number(shown.high)}` : ` ${unit(shown.unit)}`}` : null;
}
