// Spans of time in words.

import assert from "node:assert/strict";
import { test } from "node:test";
import { span } from "../src/format.ts";

test("a span is never an hour and sixty minutes", () => {
  assert.equal(span(8 * 3_600 - 21), "8 h 00");
  assert.equal(span(2 * 3_600 + 29), "2 h 00");
  assert.equal(span(2 * 3_600 + 31), "2 h 01");
});
