// The alarm list: what needs somebody, where, since when and why; operators act on it with a reason; who they are, the log-in says.

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { alarms, now, plant } from "./live";
import { Floods, Report } from "./floods";
import { clock, number, since } from "./format";
import { fetchJson, type Alarm, type Schemas, type Why as Evidence } from "./model";
import { href } from "./place";
import { Replay } from "./replay";

export const PRIORITIES = ["critical", "high", "medium", "low"] as const satisfies Schemas["Priority"][];
const SPANS = [["15 min", 900], ["1 h", 3_600], ["4 h", 14_400], ["12 h", 43_200], ["until it clears", 0]] as const;
const WORDS: Record<string, string> = {
  acknowledge: "Acknowledge", confirm: "Confirm", reset: "Reset", shelve: "Shelve", unshelve: "Unshelve", comment: "Comment", verdict: "Verdict",
};
const VERDICTS = [["real", "real"], ["false", "false alarm"], ["known", "known already"]] as const satisfies [Schemas["Verdict"], string][];
const VIEWS = [["announced", "Announced"], ["unacknowledged", "Unacknowledged"], ["hidden", "Shelved and suppressed"], ["floods", "Floods"]] as const;
const TRY = "try";
const TRIED: Schemas["AlarmKind"][] = ["limit", "stale"]; // kinds whose rule can be replayed
type View = (typeof VIEWS)[number][0];

const rank = (alarm: Alarm): number => PRIORITIES.indexOf(alarm.priority);
const unseen = (alarm: Alarm): boolean => /unacknowledged|returned/.test(alarm.phase);

/** The standing alarms at and below a path, the most urgent first. */
export function standing(under = ""): Alarm[] {
  const all = Object.values(alarms.value).flatMap((scope) => scope.alarms);
  return all
    .filter((alarm) => !under || alarm.asset === under || alarm.source === under || alarm.asset.startsWith(`${under}/`))
    .sort((a, b) => Number(unseen(b)) - Number(unseen(a)) || rank(a) - rank(b) || (b.since ?? "").localeCompare(a.since ?? ""));
}

/** How many alarms are announced below a path; a link to the list. */
export function AlarmCount({ under = "" }: { under?: string }) {
  const found = standing(under).filter((alarm) => alarm.announced);
  const worst = PRIORITIES.find((priority) => found.some((alarm) => alarm.priority === priority)) ?? "none";
  const open = found.filter(unseen).length;
  return (
    <a class={`alarm-count ${worst}`} href={href("alarms")} title={found.length ? `${open} of them unacknowledged` : "no alarms"}>
      <i aria-hidden="true">{worst === "critical" || worst === "high" ? "▲" : found.length ? "●" : "✓"}</i> {found.length} {found.length === 1 ? "alarm" : "alarms"}
    </a>
  );
}

export function AlarmsView() {
  const [view, show] = useState<View>("announced");
  const all = standing();
  const groups: Record<View, Alarm[]> = {
    announced: all.filter((alarm) => alarm.announced),
    unacknowledged: all.filter((alarm) => alarm.announced && unseen(alarm)),
    hidden: all.filter((alarm) => !alarm.announced),
    floods: all.filter((alarm) => alarm.kind === "flood"),
  };
  return (
    <main class="alarms">
      <h2>
        Alarms
        <span class="spans" role="group" aria-label="which alarms">{VIEWS.map(([name, word]) => <button type="button" key={name} aria-pressed={name === view} onClick={() => show(name)}>{word} {groups[name].length}</button>)}</span>
      </h2>
      {view === "floods" ? <Floods alarms={all} /> : <AlarmList alarms={groups[view]} empty={view === "hidden" ? "Nothing is shelved or suppressed." : "No alarms: nothing needs you."} />}
      <Report />
    </main>
  );
}

/** Alarms by asset, the asset with the most urgent one first. */
export function AlarmList({ alarms: found, empty }: { alarms: Alarm[]; empty: string }) {
  const [chosen, choose] = useState<{ id: string; action: string } | null>(null);
  const groups = [...new Set(found.map((alarm) => alarm.asset))].map((asset) => ({ asset, alarms: found.filter((alarm) => alarm.asset === asset) }));
  if (!found.length) return <p class="quiet" role="status">{empty}</p>;
  return (
    <table class="alarm-list">
      <thead><tr><th>priority</th><th>what and why</th><th>since</th><th>state</th><th>what to do</th></tr></thead>
      {groups.map((group) => (
        <tbody key={group.asset}>
          <tr class="group"><th colSpan={5} scope="rowgroup">{place(group.asset)}</th></tr>
          {group.alarms.map((alarm) => (
            <Row key={alarm.id} alarm={alarm} action={chosen?.id === alarm.id ? chosen.action : ""} choose={(action) => choose(action ? { id: alarm.id, action } : null)} />
          ))}
        </tbody>
      ))}
    </table>
  );
}

function place(asset: string) {
  const known = plant.value?.assets.find((candidate) => candidate.path === asset);
  return known ? <a href={href(asset)}>{known.title} <small>{asset}</small></a> : asset;
}

type RowProps = { alarm: Alarm; action: string; choose: (action: string) => void };

function Row({ alarm, action, choose }: RowProps) {
  return (
    <>
      <tr class={`alarm ${alarm.priority} ${unseen(alarm) ? "unseen" : ""}`} data-alarm={alarm.id}>
        <td><span class="priority"><i aria-hidden="true">{unseen(alarm) ? "▲" : "△"}</i> {alarm.priority}</span></td>
        <td>{alarm.message || alarm.title}{alarm.grouped && <small> · in a flood</small>}<Why alarm={alarm} /></td>
        <td title={alarm.since ?? ""}>{since(alarm.since, now.value)}<br /><small>{clock(alarm.since)}{alarm.occurrence > 1 && `, ${alarm.occurrence}×`}</small></td>
        <td>{phaseWord(alarm)}</td>
        <td class="buttons">{alarm.actions.map((name) => <button type="button" key={name} aria-expanded={action === name} onClick={() => choose(action === name ? "" : name)}>{WORDS[name] ?? name}</button>)}{TRIED.includes(alarm.kind) && <button type="button" aria-expanded={action === TRY} onClick={() => choose(action === TRY ? "" : TRY)}>Try another limit</button>}</td>
      </tr>
      {action && <tr class="act"><td colSpan={5}>{action === TRY ? <Replay alarm={alarm} done={() => choose("")} /> : <Act alarm={alarm} action={action} done={() => choose("")} />}</td></tr>}
    </>
  );
}

function phaseWord(alarm: Alarm): string {
  if (alarm.shelf) return `shelved by ${alarm.shelf.operator}${alarm.shelf.until ? ` until ${clock(alarm.shelf.until)}` : " until it clears"}: ${alarm.shelf.comment}`;
  if (alarm.suppressed_by.length) return `suppressed: ${alarm.suppressed_by.map((reason) => reason.replaceAll("|", " ")).join(", ")}`;
  return alarm.phase === "returned" ? "cleared, not acknowledged" : alarm.phase.replace("-", ", ");
}

function Why({ alarm }: { alarm: Alarm }) {
  const { p, expected_per_day: expected, contributions, baseline } = alarm.why as Evidence;
  const parts = [
    baseline ? `usual ${number(baseline.centre)}${baseline.spread ? ` ± ${number(baseline.spread)}` : ""}` : "",
    p != null ? `p = ${p.toPrecision(2)}` : "",
    expected != null ? `${expected.toPrecision(2)} a day expected without a fault` : "",
  ].filter(Boolean);
  if (!parts.length && !contributions?.length) return null;
  return (
    <small class="why-alarm">
      {parts.join(" · ")}
      {contributions?.slice(0, 3).map((one) => <span key={one.signal} class="share" title={one.signal}>{one.sign > 0 ? "↑" : one.sign < 0 ? "↓" : "·"} {one.signal.split("/").pop()} {Math.round(one.share * 100)} %</span>)}
    </small>
  );
}

function Act({ alarm, action, done }: { alarm: Alarm; action: string; done: () => void }) {
  const [comment, setComment] = useState("");
  const [span, setSpan] = useState(3_600);
  const [verdict, setVerdict] = useState<Schemas["Verdict"]>("real");
  const [problem, setProblem] = useState("");
  const [key] = useState(newKey);
  const first = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => first.current?.focus(), [action]); // before the next key comes
  const send = async (event: Event) => {
    event.preventDefault();
    const more = action === "shelve" ? (span ? { for_s: span } : {}) : action === "verdict" ? { verdict } : {};
    const body: Schemas["Said"] | Schemas["Shelving"] | Schemas["Judgement"] = { comment, ...more };
    try {
      await fetchJson(`v1/alarms/${alarm.id}/${action}`, body, key);
      done();
    } catch (error) {
      setProblem((error as Error).message);
    }
  };
  return (
    <form class="act" aria-label={`${WORDS[action]} ${alarm.title}`} onSubmit={send} onKeyDown={(event) => event.key === "Escape" && done()}>
      {action === "shelve" && <label>For <select value={span} onChange={(event) => setSpan(Number(event.currentTarget.value))}>{SPANS.map(([word, seconds]) => <option key={seconds} value={seconds}>{word}</option>)}</select></label>}
      {action === "verdict" && <label>It was <select value={verdict} onChange={(event) => setVerdict(event.currentTarget.value as typeof verdict)}>{VERDICTS.map(([value, word]) => <option key={value} value={value}>{word}</option>)}</select></label>}
      <label class="wide">Comment <input ref={first} required maxLength={2_000} value={comment} onInput={(event) => setComment(event.currentTarget.value)} /></label>
      <button type="submit">{WORDS[action]}</button>
      <button type="button" onClick={done}>Cancel</button>
      {problem && <span class="problem" role="alert">{problem}</span>}
    </form>
  );
}

/** A random UUID also where the page comes over plain HTTP, where crypto.randomUUID is missing. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
