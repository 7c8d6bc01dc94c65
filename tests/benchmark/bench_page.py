"""The page in headless Chromium on a running demo: bytes, first paint, frames with every signal live and with 100,000 points.

Processor time is the main thread's (Chromium's thread clock), so that others on the machine do not count.
"""

import gzip
import json
import math
import re
import shutil
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, Route, expect, sync_playwright

from tests.benchmark.record import Result
from tests.journey.demo_process import Demo
from tests.servers import open_folder

SUITE = "page"

MILL = "factory/machining/mill-1"
LOADS = 7
WATCHED_S = 10.0
LIVE_WITHIN_MS = 180_000  # from a cold start
POINTS = 100_000
NEARLY_ALL = re.compile(r"^(9\d{4}|100000)$")  # the oldest leave while it loads
FRAMES = """ms => new Promise(done => {
  let frames = 0; const begun = performance.now();
  const next = now => now - begun >= ms ? done(1000 * frames / (now - begun)) : (frames++, requestAnimationFrame(next));
  requestAnimationFrame(next);
})"""


def measure() -> list[Result]:
    """Bytes over the wire, first contentful paint (median), frames per second and processor time of the main thread."""
    with open_folder("page") as folder, Demo(folder) as demo, _chromium() as page:
        size = _gzip_bytes(page, demo.page)
        paints = [_first_paint_ms(page, demo.page) for _ in range(LOADS)]
        page.goto(demo.page)
        expect(page.locator(".link")).to_have_text("live", timeout=LIVE_WITHIN_MS)
        page.get_by_role("button", name="Units").click()
        expect(page.locator(".card")).not_to_have_count(0)
        expect(page.locator(".card.unknown, .tile.unknown")).to_have_count(0, timeout=LIVE_WITHIN_MS)  # all are live
        plant_fps, plant_busy = _watched(page)
        page.route("**/series?*", _many_points)
        page.goto(f"{demo.page}#/{MILL}")
        page.get_by_role("button", name="every sample").click()
        expect(page.locator("[data-trend]")).to_have_attribute("data-points", NEARLY_ALL, timeout=60_000)
        trend_fps, trend_busy = _watched(page)
    paint_ms = statistics.median(paints)
    return [
        Result("P1-page-bytes", "script and style, gzip", size / 1e3, "kB", "≤ 300 kB", size <= 300_000),
        Result("P2-first-paint", f"loopback, median of {LOADS}", paint_ms, "ms", "≤ 1000 ms", paint_ms <= 1000),
        Result("P3-plant-frames", "every signal of the demo live", plant_fps, "1/s", "≥ 55/s", plant_fps >= 55),
        Result("P4-plant-busy", "main thread, same", 100 * plant_busy, "%", "≤ 50 %", plant_busy <= 0.5),
        Result("P5-trend-frames", f"trend of {POINTS:,} points, live", trend_fps, "1/s", "≥ 55/s", trend_fps >= 55),
        Result("P6-trend-busy", "main thread, same", 100 * trend_busy, "%", "≤ 50 %", trend_busy <= 0.5),
    ]


@contextmanager
def _chromium() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield browser.new_page(viewport={"width": 1920, "height": 1080})
        browser.close()


def _gzip_bytes(page: Page, address: str) -> int:
    names = re.findall(r'(?:src|href)="\./(assets/[^"]+)"', page.request.get(address).text())
    return sum(len(gzip.compress(page.request.get(f"{address}{name}").body())) for name in names)


def _first_paint_ms(page: Page, address: str) -> float:
    page.goto("about:blank")
    page.goto(address)
    page.locator("[data-asset]").first.wait_for()
    return float(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))


def _watched(page: Page) -> tuple[float, float]:
    """Frames per second, and the share of the time in which the main thread used a processor."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def busy_s() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return next(float(one["value"]) for one in metrics if one["name"] == "TaskDuration")

    before_s, begun_s = busy_s(), time.monotonic()
    fps = float(page.evaluate(FRAMES, WATCHED_S * 1_000))
    return fps, (busy_s() - before_s) / (time.monotonic() - begun_s)


def _many_points(route: Route) -> None:
    """A stored series as long as the api gives one: a wave over the last five minutes."""
    now_ms = time.time() * 1e3
    times = [now_ms - 300_000 * (1 - place / POINTS) for place in range(POINTS)]
    values = [round(10 + math.sin(place / 300) + 0.1 * math.sin(place * 1.7), 3) for place in range(POINTS)]
    body = {
        "unit": "kW",
        "reduced": False,
        "time_ms": times,
        "value": values,
        "quality": [],
        "gaps": [],
        "coverage": 1.0,
    }
    route.fulfill(body=json.dumps(body), content_type="application/json")
