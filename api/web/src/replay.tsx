// Another limit, tried over stored history before it is armed: how often would this alarm have fired?

import { useState } from "preact/hooks";
import { clock, number, span } from "./format";
import { fetchJson, type Alarm, type Posted, type Schemas } from "./model";

const SPANS = [["8 h", "-8h"], ["1 day", "-1d"], ["7 days", "-7d"], ["30 days", "-30d"]] as const;
type Rule = Schemas["TrialRule"];
type Replayed = Schemas["ReplayModel"];
type Fields = Partial<Record<Exclude<keyof Rule, "signal" | "name">, string>>;
const FIELDS: Fields = { limit: "limit", deadband: "deadband", on_delay_s: "on-delay s", off_delay_s: "off-delay s" };
const STALE_FIELDS: Fields = { after_s: "silent for s" };
const SHOWN = 5;

export function Replay({ alarm, done }: { alarm: Alarm; done: () => void }) {
  const [given, give] = useState<Partial<Rule>>({});
  const [start, setStart] = useState<string>("-1d");
  const [answer, setAnswer] = useState<Replayed | null>(null);
  const [problem, setProblem] = useState("");
  const fields = alarm.name === "stale" ? STALE_FIELDS : FIELDS;
  const send = async (event: Event) => {
    event.preventDefault();
    setProblem("");
    const rule: Rule = { signal: alarm.source, name: alarm.name as Rule["name"], ...given }; // only alarms of such a rule can be tried
    const body: Posted<"/v1/alarms/replay"> = { rule, start, end: "now" };
    try {
      setAnswer(await fetchJson<Replayed>("v1/alarms/replay", body));
    } catch (error) {
      setProblem((error as Error).message);
    }
  };
  const change = (name: string, input: HTMLInputElement) => {
    const { [name as keyof Rule]: _, ...others } = given;
    give(Number.isFinite(input.valueAsNumber) ? { ...others, [name]: input.valueAsNumber } : others);
  };
  return (
    <form class="act" aria-label={`Try another rule for ${alarm.title}`} onSubmit={send} onKeyDown={(event) => event.key === "Escape" && done()}>
      {Object.entries(fields).map(([name, word]) => <label key={name}>{word} <input type="number" step="any" placeholder="as it is" onInput={(event) => change(name, event.currentTarget)} /></label>)}
      <label>over <select value={start} onChange={(event) => setStart(event.currentTarget.value)}>{SPANS.map(([word, value]) => <option key={value} value={value}>{word}</option>)}</select></label>
      <button type="submit">Replay</button>
      <button type="button" onClick={done}>Close</button>
      {problem && <span class="problem" role="alert">{problem}</span>}
      {answer && <Result answer={answer} />}
    </form>
  );
}

function Result({ answer }: { answer: Replayed }) {
  return (
    <div class="replayed" data-replayed={answer.raised}>
      <p><b>{number(answer.raised)}</b> {answer.raised === 1 ? "alarm" : "alarms"}, {number(answer.raised_per_day)} a day, active {(100 * answer.active_share).toFixed(1)} % of the time; {number(answer.read)} samples were read. Nothing was changed.</p>
      {answer.per_day.length > 1 && <p>{answer.per_day.map((one) => <span key={one.day} class="share">{one.day.slice(5)}: {one.raised}</span>)}</p>}
      <ul>
        {answer.episodes.slice(-SHOWN).map((one) => (
          <li key={one.raised_at}>{new Date(one.raised_at).toLocaleDateString("en-GB")} {clock(one.raised_at)}, {one.cleared_at ? `lasted ${span((Date.parse(one.cleared_at) - Date.parse(one.raised_at)) / 1_000)}` : "would still be active"}: {one.message}</li>
        ))}
      </ul>
    </div>
  );
}
