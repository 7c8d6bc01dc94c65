// Playback: a slider that moves the whole page to any past instant, and a banner that says loudly that it is the past.

import { useEffect, useRef, useState } from "preact/hooks";
import { span } from "./format";
import { playbackProblem } from "./live";
import { at, goTo } from "./place";

const SPANS = [["1 h", 3_600], ["8 h", 28_800], ["24 h", 86_400], ["7 d", 604_800]] as const;
const SPEEDS = [1, 10, 60, 600] as const;
const SETTLE_MS = 120; // so long the slider has to rest before the past is asked for
const FRAME_MS = 1_000; // of a playback that runs

const day = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "2-digit", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" });

export function PlaybackBanner() {
  if (at.value === null) return null;
  return (
    <p class="past-banner" role="alert">
      <b>Playback</b> This is the past: {day.format(at.value)}, {span((Date.now() - at.value) / 1_000)} ago.
      {playbackProblem.value && <span> It cannot be shown: {playbackProblem.value}</span>}
      <button type="button" onClick={() => goTo(null)}>Back to live</button>
    </p>
  );
}

export function PlaybackBar() {
  const [seconds, setSeconds] = useState(3_600);
  const [dragged, setDragged] = useState<number | null>(null); // seconds back, while the slider moves
  const [speed, setSpeed] = useState(0);
  const settle = useRef(0);
  const back = dragged ?? (at.value === null ? 0 : Math.min(seconds, (Date.now() - at.value) / 1_000));
  const move = (secondsBack: number) => {
    setDragged(secondsBack);
    clearTimeout(settle.current);
    settle.current = window.setTimeout(() => {
      setDragged(null);
      goTo(secondsBack < 1 ? null : Math.round(Date.now() - secondsBack * 1_000));
    }, SETTLE_MS);
  };
  useEffect(() => {
    if (!speed) return;
    const timer = setInterval(() => {
      const next = (at.value ?? Date.now()) + speed * FRAME_MS;
      if (next < Date.now()) return goTo(next);
      setSpeed(0);
      goTo(null);
    }, FRAME_MS);
    return () => clearInterval(timer);
  }, [speed]);
  const step = (forward: number) => move(Math.max(0, (Date.now() - (at.value ?? Date.now())) / 1_000 - forward));
  return (
    <footer class={`playback ${at.value === null ? "" : "on"}`} aria-label="Playback">
      <span class="spans" role="group" aria-label="how far the slider reaches">{SPANS.map(([label, length]) => <button type="button" key={label} aria-pressed={length === seconds} onClick={() => setSeconds(length)}>{label}</button>)}</span>
      <button type="button" title="one minute back" onClick={() => step(-60)}>−1 min</button>
      <input
        type="range" min={-seconds} max={0} step={seconds / 3_600} value={-back} aria-label="Shown instant" data-playback
        aria-valuetext={back < 1 ? "live" : `${span(back)} ago`}
        onInput={(event) => move(-Number(event.currentTarget.value))}
      />
      <button type="button" title="one minute forward" disabled={at.value === null} onClick={() => step(60)}>+1 min</button>
      <output>{back < 1 ? "live" : `${span(back)} ago`}</output>
      {at.value !== null && (
        <span class="spans" role="group" aria-label="speed of playback">
          {SPEEDS.map((one) => <button type="button" key={one} aria-pressed={speed === one} onClick={() => setSpeed(speed === one ? 0 : one)}>{speed === one ? "‖" : "▶"} {one}×</button>)}
        </span>
      )}
    </footer>
  );
}
