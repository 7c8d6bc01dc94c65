// Say what an interval was in truth: choose one in the picture or in the list, the reason, and why; kept under the name of who is signed in.

import { useState } from "preact/hooks";
import { newKey } from "./alarms";
import { clock, span } from "./format";
import { fetchJson, type Interval, type Posted, type Schemas } from "./model";

const REASONS: Schemas["StopReason"][] = [
  "failure", "setup", "tool-change", "maintenance", "no-order", "no-operator", "quality", "break", "weather", "held", "starved", "blocked", "idle", "production", "other",
];
const LEAST_S = 10; // what is shorter is found in the picture only
const MOST = 40;

type Props = { asset: string; intervals: Interval[]; chosen: string; choose: (start: string) => void };

export const seconds = (one: Interval): number => (Date.parse(one.end) - Date.parse(one.start)) / 1_000;

export function Reclassify({ asset, intervals, chosen, choose }: Props) {
  const stood = intervals.filter((one) => one.start === chosen || (one.element !== "production" && seconds(one) >= LEAST_S)).slice(-MOST).reverse();
  const one = stood.find((candidate) => candidate.start === chosen);
  return (
    <div class="reclassify">
      <label>What was it in truth? <select aria-label="interval" value={one?.start ?? ""} onChange={(event) => choose(event.currentTarget.value)}>
        <option value="">choose an interval, here or in the picture</option>
        {stood.map((candidate) => <option key={candidate.start} value={candidate.start}>{words(candidate)}</option>)}
      </select></label>
      {one && <Say key={one.start} asset={asset} interval={one} done={() => choose("")} />}
    </div>
  );
}

function Say({ asset, interval, done }: { asset: string; interval: Interval; done: () => void }) {
  const [reason, setReason] = useState(REASONS.find((one) => one === interval.reason) ?? "failure");
  const [comment, setComment] = useState("");
  const [said, setSaid] = useState("");
  const [problem, setProblem] = useState("");
  const [key] = useState(newKey);
  const send = async (event: Event) => {
    event.preventDefault();
    setProblem("");
    const body: Posted<"/v1/intervals/{path}/reclassify"> = { start: interval.start, end: interval.end, reason, comment };
    try {
      await fetchJson(`v1/intervals/${asset}/reclassify`, body, key);
      setSaid(`Kept: ${clock(interval.start)} to ${clock(interval.end)} was ${reason}. The key figures of these hours follow within minutes.`);
    } catch (error) {
      setProblem((error as Error).message);
    }
  };
  if (said) return <p role="status">{said} <button type="button" onClick={done}>Close</button></p>;
  return (
    <form class="act" aria-label={`what ${words(interval)} was`} onSubmit={send} onKeyDown={(event) => event.key === "Escape" && done()}>
      <label>It was <select value={reason} onChange={(event) => setReason(event.currentTarget.value as typeof reason)}>{REASONS.map((name) => <option key={name}>{name}</option>)}</select></label>
      <label class="wide">Why <input required maxLength={1_000} value={comment} onInput={(event) => setComment(event.currentTarget.value)} /></label>
      <button type="submit">Say so</button>
      <button type="button" onClick={done}>Cancel</button>
      {problem && <span class="problem" role="alert">{problem}</span>}
    </form>
  );
}

const words = (one: Interval): string => `${clock(one.start)} to ${clock(one.end)}: ${one.state ?? "unknown"}${one.reason ? ` (${one.reason})` : ""}, ${span(seconds(one))}`;
