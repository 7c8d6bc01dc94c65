// Where one is: the address behind "#" → view, path and, in playback, the past instant. Links keep the instant.

import { computed, signal } from "@preact/signals";

export const VIEWS = ["alarms", "plan", "gateways"] as const;
export type View = "plant" | (typeof VIEWS)[number];
export type Place = { view: View; path: string; at: number | null };

export function parsed(hash: string): Place {
  const [way = "", query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [first = "", ...rest] = decodeURIComponent(way).split("/").filter(Boolean);
  const instant = Date.parse(new URLSearchParams(query).get("at") ?? "");
  const at = Number.isNaN(instant) ? null : instant;
  const view = VIEWS.find((one) => one === first);
  return view ? { view, path: rest.join("/"), at } : { view: "plant", path: [first, ...rest].filter(Boolean).join("/"), at };
}

export const place = signal(parsed(location.hash));
/** The past instant that is shown, ms; null: now. */
export const at = computed(() => place.value.at);

export function href(way: string, instant: number | null = at.value): string {
  return `#/${way}${instant === null ? "" : `?at=${new Date(instant).toISOString()}`}`;
}

/** Go to another instant, here; the way back is one step however often the slider was moved. */
export function goTo(instant: number | null): void {
  const { view, path } = place.value;
  const way = [view === "plant" ? "" : view, path].filter(Boolean).join("/");
  history.replaceState(null, "", href(way, instant));
  place.value = { view, path, at: instant };
}

addEventListener("hashchange", () => {
  const before = place.value;
  place.value = parsed(location.hash);
  if (before.view !== place.value.view || before.path !== place.value.path) scrollTo(0, 0);
});
