// What would help most: each of the busiest units a little faster, one scenario after the other, with the same luck.

import { useState } from "preact/hooks";
import { number } from "./format";
import { plant } from "./live";
import type { Answer } from "./model";
import { document, newChange, run, type Draft } from "./scenario";

const UNITS = 5;
const FASTER = 1.1;

type Found = { asset: string; gain: number; share: number };

export function Sensitivity({ draft, answer }: { draft: Draft; answer: Answer }) {
  const [found, setFound] = useState<Found[]>([]);
  const [done, setDone] = useState<number | null>(null);
  const [problem, setProblem] = useState("");
  const known = plant.value!;
  const busiest = [...answer.assets].filter((one) => known.assets.some((asset) => asset.path === one.asset)).sort((a, b) => b.bottleneck - a.bottleneck).slice(0, UNITS);
  const before = answer.outputs.reduce((sum, one) => sum + one.changed.mean, 0);
  const look = async () => {
    setFound([]);
    setProblem("");
    setDone(0);
    try {
      for (const [place, { asset }] of busiest.entries()) {
        const changed = { ...draft, changes: [...draft.changes, newChange("speed", asset, known, { factor: FASTER })] };
        const { answer: told } = await run(document(changed, `10 % faster: ${asset}`), (progress) => setDone((place + progress) / busiest.length));
        const gain = (told?.outputs.reduce((sum, one) => sum + one.changed.mean, 0) ?? 0) - before;
        setFound((all) => [...all, { asset, gain, share: before ? gain / before : 0 }].sort((a, b) => b.gain - a.gain));
      }
    } catch (error) {
      setProblem((error as Error).message);
    }
    setDone(null);
  };
  const most = Math.max(...found.map((one) => one.gain), 1e-9);
  return (
    <div class="sensitivity">
      <button type="button" disabled={done !== null} onClick={look}>What would help most?</button> <small>each of the {busiest.length} busiest units 10 % faster</small>
      {done !== null && <progress max={1} value={done} aria-label="progress of the comparison" />}
      {problem && <p class="problem" role="alert">{problem}</p>}
      {found.length > 0 && (
        <table data-sensitivity={found.length}>
          <thead><tr><th>unit 10 % faster</th><th>brings</th></tr></thead>
          <tbody>{found.map((one) => <tr key={one.asset}><td>{known.assets.find((asset) => asset.path === one.asset)?.title}</td><td><span class="sharebar"><meter min={0} max={most} value={Math.max(one.gain, 0)} aria-hidden="true" /> {one.gain >= 0 ? "+" : ""}{number(Math.round(one.gain))} ({(100 * one.share).toFixed(1)} %)</span></td></tr>)}</tbody>
        </table>
      )}
    </div>
  );
}
