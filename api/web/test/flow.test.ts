// The layout of flow graphs: layers along the flow, alike units together, loops cut.

import assert from "node:assert/strict";
import { test } from "node:test";
import { layout } from "../src/flow.ts";

const unit = (path: string, more = {}) => ({ path, name: path.split("/").pop(), title: path, level: "unit", type: "mill", parent: "f", capacity: null, duty: "machine", servers: 1, plan_per_h: null, calendar: "c", signals: [], ...more });
const rack = (path: string) => unit(path, { type: "buffer", duty: null, capacity: 9 });
const plant = (assets: object[], flow: [string, string, string?][]) => ({ enterprise: "e", title: "t", revision: "1", calendars: {}, assets, flow: flow.map(([source, target, buffer]) => ({ source, target, buffer: buffer ?? null })) }) as any;

const line = plant(
  [unit("f/a1"), unit("f/a2"), rack("f/r"), unit("f/b", { type: "lathe" }), unit("f/c", { type: "robot" }), unit("f/side", { type: "printer" })],
  [["f/a1", "f/b", "f/r"], ["f/a2", "f/b", "f/r"], ["f/b", "f/c"], ["f/side", "f/c"]],
);
const boxOf = (drawn: any, path: string) => drawn.boxes.find((box: any) => box.assets.some((asset: any) => asset.path === path) && box.kind !== "berth");

test("what feeds stands before what is fed, the buffer between them", () => {
  const drawn = layout(line, "", false);
  const [a, r, b, c] = ["f/a1", "f/r", "f/b", "f/c"].map((path) => boxOf(drawn, path).x);
  assert.ok(a < r && r < b && b < c);
  assert.equal(drawn.edges.length, 4);
});

test("alike units share a box, another type has its own", () => {
  const drawn = layout(line, "", false);
  assert.equal(boxOf(drawn, "f/a1"), boxOf(drawn, "f/a2"));
  assert.equal(drawn.boxes.length, 5);
});

test("a side branch stands right before what it feeds", () => {
  const drawn = layout(line, "", false);
  assert.equal(boxOf(drawn, "f/side").along, boxOf(drawn, "f/c").along - 1);
});

test("no box lies on another, across or down", () => {
  for (const down of [false, true]) {
    const { boxes, width, height } = layout(line, "", down);
    for (const one of boxes) {
      assert.ok(one.x >= 0 && one.y >= 0 && one.x + one.width <= width + 1e-6 && one.y + one.height <= height + 1e-6);
      for (const other of boxes) if (one !== other) assert.ok(one.x + one.width <= other.x || other.x + other.width <= one.x || one.y + one.height <= other.y || other.y + other.height <= one.y);
    }
  }
});

test("a loop is drawn, not followed for ever", () => {
  const drawn = layout(plant([unit("f/a"), unit("f/b", { type: "lathe" })], [["f/a", "f/b"], ["f/b", "f/a"]]), "", false);
  assert.equal(drawn.edges.length, 2);
  assert.notEqual(boxOf(drawn, "f/a").along, boxOf(drawn, "f/b").along);
});

test("neighbours of a part are there and marked", () => {
  const drawn = layout(line, "f/b", false);
  assert.equal(boxOf(drawn, "f/b").outside, false);
  assert.equal(boxOf(drawn, "f/c").outside, true);
  assert.equal(boxOf(drawn, "f/side"), undefined);
});

test("many alike units are tiles, a quay crane has a berth", () => {
  const slots = Array.from({ length: 9 }, (_, at) => unit(`f/s${at}`, { type: "slot", duty: null }));
  const drawn = layout(plant([unit("f/q", { duty: "quay-crane" }), ...slots], slots.map((slot: any) => ["f/q", slot.path])), "", false);
  assert.deepEqual(drawn.boxes.map((box: any) => box.kind).sort(), ["berth", "machine", "tiles"]);
  assert.ok(drawn.boxes.find((box: any) => box.kind === "berth").x < boxOf(drawn, "f/q").x);
});
