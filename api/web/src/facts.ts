// What stands beside the live state in the flow: bottlenecks, risks. Asked for every half minute, at the shown instant.

import { useAsked, lastSeconds, under } from "./ask";
import type { Got, Risk } from "./model";
import { at } from "./place";

const EVERY_MS = 30_000;
const BOTTLENECK_S = 7_200;
export const HORIZON_H = 24; // of the ring

export type Facts = { bottleneck: string | null; shares: Map<string, number>; risks: Map<string, Risk> };

export function useFacts(path: string | null): Facts {
  const { answer: held } = useAsked<Got<"/v1/bottlenecks">>(path && `v1/bottlenecks?${under(path)}&${lastSeconds(BOTTLENECK_S, at.value)}`, EVERY_MS);
  const { answer: told } = useAsked<Got<"/v1/risk">>(`v1/risk${at.value === null ? "" : `?at=${new Date(at.value).toISOString()}`}`, EVERY_MS);
  return {
    bottleneck: held?.now ?? null,
    shares: new Map(held?.shares.map((share) => [share.asset, share.sole + share.shifting])),
    risks: new Map(told?.risks.map((risk) => [risk.asset, risk])),
  };
}

/** The probability of a fault within a day, in words that say how far to trust it. */
export function riskWords(risk: Risk | undefined): string {
  const day = risk?.horizons.find((one) => one.horizon_h === HORIZON_H);
  if (!day) return "no fault risk has been computed yet";
  if (day.p === null) return `no fault risk: ${day.basis}`;
  const sure = day.calibrated ? `calibrated on ${day.failures} failures` : day.basis;
  return `fault within ${HORIZON_H} h: ${percent(day.p)} (${sure})`;
}

export const percent = (share: number): string => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
