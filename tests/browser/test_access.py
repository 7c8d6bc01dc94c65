"""The page for everybody: WCAG AA by axe-core in light and dark, small, and asking nobody else."""

import gzip
import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_page import MILL, WAIT_MS
from tests.journey.demo_process import ROOT, Demo

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]

AXE = ROOT / "tests/peers/page/node_modules/axe-core/axe.min.js"
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
VIEWS = {
    "plant": "",
    "units": "",
    "asset": MILL,
    "alarms": "alarms",
    "plan": "plan/factory",
    "gateways": "gateways",
    "playback": "factory?at=2026-01-01T00:00:00Z",
}
MOST_GZIP_BYTES = 300_000


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_is_accessible_in_light_and_dark(page: Page, demo: Demo, view: str) -> None:
    page.set_viewport_size({"width": 1600, "height": 3000})  # so high that nothing lies behind the bars
    page.goto(f"{demo.page}#/{VIEWS[view]}")
    expect(page.locator("main:not(.empty)")).to_be_visible(timeout=WAIT_MS)
    if view == "units":
        page.get_by_role("button", name="Units").click()
    if view in {"plant", "asset"}:
        expect(page.locator(".banner .state, .flow .state").first).not_to_contain_text("no data", timeout=WAIT_MS)
    page.evaluate(AXE.read_text())
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found: list[dict[str, Any]] = page.evaluate("rules => axe.run(document, rules)", RULES)["violations"]
        wrong = [
            (one["id"], [node["failureSummary"] + node["html"][:160] for node in one["nodes"][:4]]) for one in found
        ]
        assert not wrong, f"{view}, {scheme}: {wrong}"


def test_the_page_is_small(browser: Browser, demo: Demo) -> None:
    context = browser.new_context()
    opened = context.new_page()
    text = opened.request.get(demo.page).text()
    files = re.findall(r'(?:src|href)="\./(assets/[^"]+)"', text)
    assert len(files) >= 2
    size = sum(len(gzip.compress(opened.request.get(f"{demo.page}{name}").body())) for name in files)
    context.close()
    assert size <= MOST_GZIP_BYTES
