// The points of a trend: holes where nothing was measured.

import assert from "node:assert/strict";
import { test } from "node:test";
import { append, points, trim } from "../src/points.ts";

const series = (time_ms: number[], gaps: [number, number][] = []) => ({
  unit: "", reduced: false, time_ms, value: time_ms.map((_, at) => at), quality: [], coverage: 1,
  gaps: gaps.map(([start, end]) => ({ start: new Date(start).toISOString(), end: new Date(end).toISOString(), cause: "", detail: "" })),
});

test("a recorded gap is a hole", () => {
  const found = points(series([0, 1_000, 9_000, 10_000], [[2_000, 8_000]]), 60);
  assert.deepEqual(found.times, [0, 1, 2, 9, 10]);
  assert.deepEqual(found.values, [0, 1, null, 2, 3]);
});

test("longer silence than allowed is a hole, shorter is none", () => {
  assert.deepEqual(points(series([0, 5_000]), 10).values, [0, 1]);
  const found = points(series([0, 50_000]), 10);
  assert.deepEqual([found.times, found.values], [[0, 10, 50], [0, null, 1]]);
});

test("times ascend whatever the gaps are", () => {
  const found = points(series([0, 1_000, 2_000], [[0, 500], [1_000, 1_500], [1_500, 9_000]]), 0.5);
  for (let at = 1; at < found.times.length; at++) assert.ok(found.times[at]! > found.times[at - 1]!);
});

test("a new value comes at the end, an old one is not taken, the past is forgotten", () => {
  const all = points(series([0, 1_000]), 10);
  append(all, 0.5, 7, 10);
  append(all, 2, 8, 10);
  append(all, 30, 9, 10);
  assert.deepEqual([all.times, all.values], [[0, 1, 2, 12, 30], [0, 1, 8, null, 9]]);
  trim(all, 2);
  assert.deepEqual(all.times, [2, 12, 30]);
});
