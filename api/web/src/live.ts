// What is shown: live over one WebSocket that reconnects for ever, or a past instant from the API. A signal per asset, so
// that only what changed is drawn again. In playback live frames are kept aside and shown again on the way back.

import { batch, effect, signal, type Signal } from "@preact/signals";
import { fetchJson, type AssetState, type Frame, type Gateway, type Got, type Plant, type ScopeAlarms } from "./model";
import { at } from "./place";
import { loadSession, session } from "./session";

export type Link = "connecting" | "live" | "silent" | "lost";

export const plant = signal<Plant | null>(null);
export const failure = signal("");
export const link = signal<Link>("connecting");
export const gateways = signal<Record<string, Gateway>>({});
export const alarms = signal<Record<string, ScopeAlarms>>({}); // by area
export const now = signal(Date.now()); // the instant that is shown
export const playbackProblem = signal("");

const states = new Map<string, Signal<AssetState | null>>(); // as shown
const live = new Map<string, AssetState>();
let liveAlarms: Record<string, ScopeAlarms> = {};
const SILENT_AFTER_MS = 12_000;
const RETRY_MS = [500, 1_000, 2_000, 5_000];
let heardAt = 0;
let tries = 0;
let open: WebSocket | null = null;
let seen = ""; // the last frame of this session: the next connection goes on behind it

export function stateOf(path: string): Signal<AssetState | null> {
  let found = states.get(path);
  if (!found) states.set(path, (found = signal(null)));
  return found;
}

function take(frame: Frame): void {
  heardAt = Date.now();
  if (frame.type === "hello") {
    if (plant.value && plant.value.revision !== frame.revision) void loadPlant();
    return;
  }
  if (frame.type === "heartbeat") {
    link.value = frame.status !== "live" ? "silent" : "live";
    return;
  }
  seen = frame.id;
  for (const state of frame.states) live.set(state.path, state);
  const removed = (frame.removed ?? []).filter((key) => key.startsWith("asset/")).map((key) => key.slice(6));
  for (const path of removed) live.delete(path);
  if (frame.alarms?.length) liveAlarms = { ...liveAlarms, ...Object.fromEntries(frame.alarms.map((scope) => [scope.path, scope])) };
  batch(() => {
    link.value = "live";
    if (frame.gateways.length) gateways.value = { ...gateways.value, ...Object.fromEntries(frame.gateways.map((gateway) => [gateway.node, gateway])) };
    if (at.value !== null) return;
    for (const state of frame.states) stateOf(state.path).value = state;
    for (const path of removed) stateOf(path).value = null;
    alarms.value = liveAlarms;
  });
}

function showLive(): void {
  batch(() => {
    now.value = Date.now();
    for (const [path, shown] of states) shown.value = live.get(path) ?? null;
    for (const [path, state] of live) stateOf(path).value = state;
    alarms.value = liveAlarms;
    playbackProblem.value = "";
  });
}

/** Show a past instant; of several that were asked for only the last one counts. */
async function showPast(instant: number): Promise<void> {
  const asked = encodeURIComponent(new Date(instant).toISOString());
  try {
    const [past, standing] = await Promise.all([
      fetchJson<Got<"/v1/states">>(`v1/states?at=${asked}`),
      fetchJson<Got<"/v1/alarms">>(`v1/alarms?at=${asked}&limit=1000`),
    ]);
    if (at.value !== instant) return;
    batch(() => {
      now.value = instant;
      for (const state of past.states) stateOf(state.path).value = state;
      const count = standing.alarms.length;
      alarms.value = { "": { path: "", version: 0, action: 0, unacknowledged: 0, total: count, alarms: standing.alarms } };
      playbackProblem.value = "";
    });
  } catch (error) {
    if (at.value === instant) playbackProblem.value = (error as Error).message;
  }
}

function connect(): void {
  const address = new URL("v1/live", document.baseURI);
  address.protocol = address.protocol.replace("http", "ws");
  if (seen) address.searchParams.set("after", seen);
  const socket = (open = new WebSocket(address));
  socket.onopen = () => {
    tries = 0;
    heardAt = Date.now();
    socket.send(JSON.stringify({ subscribe: { interval_ms: 200, after: seen || null } }));
  };
  socket.onmessage = (event) => take(JSON.parse(event.data));
  socket.onclose = () => {
    link.value = "lost";
    void loadSession();
    setTimeout(connect, RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)]);
  };
}

async function loadPlant(): Promise<void> {
  try {
    plant.value = await fetchJson<Plant>("v1/plant");
    failure.value = "";
  } catch (error) {
    failure.value = `The plant cannot be loaded: ${(error as Error).message}`;
    setTimeout(loadPlant, 2_000);
  }
}

export function start(): void {
  let who: string | null | undefined;
  effect(() => {
    // somebody else sees something else: begin again
    const now = session.value?.name;
    if (who !== undefined && now !== who) {
      seen = "";
      open?.close();
      void loadPlant();
    }
    who = now;
  });
  void loadSession();
  void loadPlant();
  connect();
  effect(() => {
    if (at.value === null) showLive();
    else void showPast(at.value);
  });
  setInterval(() => {
    if (at.value === null) now.value = Date.now();
    if (link.value === "live" && Date.now() - heardAt > SILENT_AFTER_MS) link.value = "silent";
  }, 1_000);
}
