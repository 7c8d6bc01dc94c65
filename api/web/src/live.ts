// The live feed: one WebSocket, states by asset path, reconnecting for ever. A signal per asset, so that only what
// changed is drawn again.

import { batch, effect, signal, type Signal } from "@preact/signals";
import { loadSession, session } from "./session";
import { fetchJson, type AssetState, type Frame, type Gateway, type Plant, type ScopeAlarms } from "./model";

export type Link = "connecting" | "live" | "silent" | "lost";

export const plant = signal<Plant | null>(null);
export const failure = signal("");
export const link = signal<Link>("connecting");
export const gateways = signal<Record<string, Gateway>>({});
export const alarms = signal<Record<string, ScopeAlarms>>({}); // by area
export const now = signal(Date.now());

const states = new Map<string, Signal<AssetState | null>>();
const SILENT_AFTER_MS = 12_000;
const RETRY_MS = [500, 1_000, 2_000, 5_000];
let heardAt = 0;
let tries = 0;
let open: WebSocket | null = null;

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
    link.value = frame.status && frame.status !== "live" ? "silent" : "live";
    return;
  }
  batch(() => {
    link.value = "live";
    for (const state of frame.states) stateOf(state.path).value = state;
    if (frame.gateways.length) {
      gateways.value = { ...gateways.value, ...Object.fromEntries(frame.gateways.map((gateway) => [gateway.node, gateway])) };
    }
    if (frame.alarms?.length) alarms.value = { ...alarms.value, ...Object.fromEntries(frame.alarms.map((scope) => [scope.path, scope])) };
    for (const key of frame.removed ?? []) {
      if (key.startsWith("asset/")) stateOf(key.slice(6)).value = null;
    }
  });
}

function connect(): void {
  const address = new URL("v1/live", document.baseURI);
  address.protocol = address.protocol.replace("http", "ws");
  const socket = (open = new WebSocket(address));
  socket.onopen = () => {
    tries = 0;
    heardAt = Date.now();
    socket.send(JSON.stringify({ subscribe: { under: [], signals: true, interval_ms: 200 } }));
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
      open?.close();
      void loadPlant();
    }
    who = now;
  });
  void loadSession();
  void loadPlant();
  connect();
  setInterval(() => {
    now.value = Date.now();
    if (link.value === "live" && Date.now() - heardAt > SILENT_AFTER_MS) link.value = "silent";
  }, 1_000);
}
