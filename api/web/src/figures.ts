// Key figures of the last eight hours, per asset: asked for every half minute, since they are made in the slow loop.

import { signal, type Signal } from "@preact/signals";
import { lastSeconds } from "./ask";
import { fetchJson, type Got, type KpiRow } from "./model";
import { at } from "./place";

export type Figures = KpiRow["figures"]; // by name; null or absent where not defined

const EVERY_MS = 30_000;
const found = new Map<string, Signal<Figures | null>>();

export function figuresOf(path: string): Signal<Figures | null> {
  let known = found.get(path);
  if (!known) found.set(path, (known = signal(null)));
  return known;
}

/** Ask for a site and its units, again and again; what cannot be had is not shown. */
export function follow(sites: string[]): () => void {
  let ended = false;
  async function ask(): Promise<void> {
    for (const site of sites) {
      for (const level of ["site", "unit"]) {
        const answer = await fetchJson<Got<"/v1/kpis">>(`v1/kpis?under=${encodeURIComponent(site)}&level=${level}&${lastSeconds(28_800, at.value)}`).catch(() => null);
        if (ended) return;
        for (const row of answer?.rows ?? []) figuresOf(row.asset).value = row.figures;
      }
    }
  }
  void ask();
  const timer = setInterval(() => void ask(), EVERY_MS);
  return () => {
    ended = true;
    clearInterval(timer);
  };
}

/** What one looks at first: the crane rate of whoever works on calls, else the OEE. */
export function headline(figures: Figures | null): { name: string; value: string; title: string } | null {
  if (!figures) return null;
  if (figures.gross_crane_rate_per_h != null) {
    return { name: "gross", value: `${figures.gross_crane_rate_per_h.toFixed(1)} /h`, title: "Gross crane rate of the last 8 h: moves per hour with a vessel call" };
  }
  if (figures.oee == null) return null;
  const share = (value: number | null | undefined) => (value == null ? "–" : `${(100 * value).toFixed(0)} %`);
  return {
    name: "OEE",
    value: share(figures.oee),
    title: `Last 8 h: availability ${share(figures.availability)}, effectiveness ${share(figures.effectiveness)}, quality ${share(figures.quality_ratio)}`,
  };
}
