// Downtimes in a chart of units over the hours ahead: drag in a row and its unit stands still for so long.
// With keys: a bar takes the focus, arrows move it, with Shift they change its length, Delete removes it.

import { useRef } from "preact/hooks";
import type { Asset } from "./model";
import { DOWN_H, type Change } from "./scenario";

const STEP_H = 0.25;

type Props = {
  units: Asset[];
  horizon_h: number;
  downs: Change[];
  put: (change: Partial<Change> & { asset: string }) => number;
  edit: (id: number, more: Partial<Change>) => void;
  remove: (id: number) => void;
};
type Drag = { id: number; from_h: number; grip: "new" | "move" | "end"; begun: Change | null };

export function Downtime(props: Props) {
  const ticks = Array.from({ length: 4 }, (_, index) => (props.horizon_h * index) / 4);
  return (
    <div class="downtime" role="group" aria-label="downtimes">
      <div class="axis"><span />{ticks.map((tick) => <span key={tick}>{tick ? `+${tick} h` : "now"}</span>)}</div>
      {props.units.map((unit) => <Track key={unit.path} unit={unit} {...props} />)}
    </div>
  );
}

function Track({ unit, horizon_h, downs, put, edit, remove }: Props & { unit: Asset }) {
  const track = useRef<HTMLDivElement>(null);
  const drag = useRef<Drag | null>(null);
  const own = downs.filter((one) => one.asset === unit.path);
  const hourAt = (event: PointerEvent) => {
    const box = track.current!.getBoundingClientRect();
    return snap(Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * horizon_h);
  };
  const begin = (event: PointerEvent, grip: Drag["grip"], change: Change | null) => {
    event.preventDefault();
    event.stopPropagation();
    const from_h = hourAt(event);
    const id = change?.id ?? put({ asset: unit.path, after_h: Math.min(from_h, horizon_h - STEP_H), for_h: Math.min(DOWN_H, horizon_h - from_h) });
    drag.current = { id, from_h, grip, begun: change };
    track.current!.setPointerCapture(event.pointerId);
  };
  const move = (event: PointerEvent) => {
    const { current } = drag;
    if (!current) return;
    const by_h = hourAt(event) - current.from_h;
    if (current.grip === "new" && Math.abs(by_h) >= STEP_H) edit(current.id, { after_h: Math.min(current.from_h, current.from_h + by_h), for_h: Math.abs(by_h) });
    if (current.grip === "move") edit(current.id, { after_h: clamp(current.begun!.after_h + by_h, 0, horizon_h - current.begun!.for_h) });
    if (current.grip === "end") edit(current.id, { for_h: clamp(current.begun!.for_h + by_h, STEP_H, horizon_h - current.begun!.after_h) });
  };
  const keys = (event: KeyboardEvent, one: Change) => {
    const by_h = event.key === "ArrowRight" ? STEP_H : event.key === "ArrowLeft" ? -STEP_H : 0;
    if (event.key === "Delete" || event.key === "Backspace") remove(one.id);
    else if (by_h && event.shiftKey) edit(one.id, { for_h: clamp(one.for_h + by_h, STEP_H, horizon_h - one.after_h) });
    else if (by_h) edit(one.id, { after_h: clamp(one.after_h + by_h, 0, horizon_h - one.for_h) });
    else return;
    event.preventDefault();
  };
  return (
    <div class="track-row">
      <button type="button" class="plain" title="down for 4 h from now" onClick={() => put({ asset: unit.path, after_h: 0, for_h: Math.min(DOWN_H, horizon_h) })}>{unit.title}</button>
      <div class="track" ref={track} data-track={unit.path} onPointerDown={(event) => begin(event, "new", null)} onPointerMove={move} onPointerUp={() => (drag.current = null)}>
        {own.map((one) => (
          <div
            key={one.id} class="bar" role="slider" tabIndex={0} aria-label={`${unit.title} down`} aria-valuemin={0} aria-valuemax={horizon_h} aria-valuenow={one.after_h}
            aria-valuetext={`from ${hours(one.after_h)} for ${hours(one.for_h)}`} title="drag to move, its end to lengthen; arrows, Shift with arrows, Delete"
            style={{ left: `${(100 * one.after_h) / horizon_h}%`, width: `${(100 * one.for_h) / horizon_h}%` }}
            onPointerDown={(event) => begin(event, "move", one)} onKeyDown={(event) => keys(event, one)}
          >
            {hours(one.for_h)}<i class="end" onPointerDown={(event) => begin(event, "end", one)} />
          </div>
        ))}
      </div>
    </div>
  );
}

const snap = (hour: number): number => Math.round(hour / STEP_H) * STEP_H;
const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), Math.max(low, high));
const hours = (count: number): string => `${count} h`;
