// Asking the API again and again: what changes in the slow loop is polled, and asked anew when the shown instant moves.

import { useEffect, useState } from "preact/hooks";
import { fetchJson } from "./model";

export type Asked<T> = { answer: T | null; problem: string };

/** What an address answers; null asks nothing. Another address forgets the old answer only once the new one is there. */
export function useAsked<T>(address: string | null, everyMs = 60_000): Asked<T> {
  const [asked, setAsked] = useState<Asked<T>>({ answer: null, problem: "" });
  useEffect(() => {
    if (address === null) return;
    let gone = false;
    const ask = () =>
      fetchJson<T>(address)
        .then((answer) => !gone && setAsked({ answer, problem: "" }))
        .catch((error: Error) => !gone && setAsked((before) => ({ ...before, problem: error.message })));
    void ask();
    const timer = setInterval(ask, everyMs);
    return () => {
      gone = true;
      clearInterval(timer);
    };
  }, [address]);
  return asked;
}

/** `start` and `end` of the last so many seconds before the shown instant. */
export function lastSeconds(seconds: number, instant: number | null): string {
  if (instant === null) return `start=-${seconds}s&end=now`;
  const iso = (time: number) => encodeURIComponent(new Date(time).toISOString());
  return `start=${iso(instant - seconds * 1_000)}&end=${iso(instant)}`;
}

export const under = (path: string): string => `under=${encodeURIComponent(path)}`;
