"""The page in a real browser on a running demo: what an engineer sees."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.journey.demo_process import Demo
from tests.servers import open_folder

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]

MILL = "factory/machining/mill-1"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WAIT_MS = 30_000


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    with open_folder("page") as folder, Demo(folder) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    assert program, "chromium is missing: sh setup/test-programs.sh installs it"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(demo: Demo, browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1920, "height": 1080}, color_scheme="dark")
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto(demo.page)
    yield opened
    context.close()
    assert not errors


def keep_picture(page: Page, name: str) -> None:
    """Keep a screenshot where FABRIQUAY_PICTURES says, for people."""
    if folder := os.environ.get("FABRIQUAY_PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png")


def test_the_overview_shows_every_unit_live(page: Page) -> None:
    expect(page.get_by_role("status")).to_have_text("live", timeout=WAIT_MS)
    mill = page.locator(f'[data-asset="{MILL}"]')
    expect(mill.locator(".state strong")).not_to_have_text("no data", timeout=WAIT_MS)
    assert page.locator("[data-asset]").count() >= 60
    expect(page.locator(".card.unknown")).to_have_count(0, timeout=WAIT_MS)
    expect(page.locator(".tile.unknown")).to_have_count(0, timeout=WAIT_MS)
    expect(page.locator("table.gateways tbody tr")).to_have_count(2)
    keep_picture(page, "overview")


def test_an_asset_shows_its_signals_and_a_trend_that_moves(page: Page, demo: Demo) -> None:
    page.locator(f'[data-asset="{MILL}"]').click()
    expect(page.locator(".banner h2")).to_be_visible()
    current = page.locator(f'[data-signal="{MILL}/spindle-current"] b')
    expect(current).not_to_have_text("–", timeout=WAIT_MS)
    expect(page.locator("[data-trend] canvas")).to_be_visible()
    page.get_by_role("button", name="Spindle motor current").click()
    points = page.locator(f'[data-trend="{MILL}/spindle-current"]')
    expect(points).to_have_attribute("data-points", re.compile(r"[1-9]\d+"), timeout=WAIT_MS)
    before = current.inner_text()
    expect(current).not_to_have_text(before, timeout=WAIT_MS)
    page.get_by_role("button", name="15 min").click()
    expect(page.get_by_role("button", name="15 min")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("[data-trend] canvas")).to_be_visible()
    expect(page.locator(".problem")).to_have_count(0)
    keep_picture(page, "asset")


def test_a_gateway_with_a_problem_says_so_in_words(page: Page, demo: Demo) -> None:
    expect(page.locator("table.gateways tbody tr")).to_have_count(2, timeout=WAIT_MS)
    expect(page.locator(".problems li")).to_have_count(0, timeout=WAIT_MS)
    demo.kill("plant")
    expect(page.locator(".problems li")).to_contain_text("is down", timeout=WAIT_MS)
    expect(page.locator(".problems li")).to_have_count(0, timeout=WAIT_MS)


def test_an_unknown_asset_is_said_to_be_unknown(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.page}#/factory/nowhere")
    expect(page.get_by_text("There is no asset")).to_be_visible()


def test_the_page_says_when_its_connection_is_lost_and_comes_back(page: Page, demo: Demo) -> None:
    expect(page.get_by_role("status")).to_have_text("live", timeout=WAIT_MS)
    demo.kill("api")
    expect(page.get_by_role("status")).to_contain_text("connection lost", timeout=WAIT_MS)
    expect(page.get_by_role("status")).to_have_text("live", timeout=WAIT_MS)


def test_the_page_asks_nobody_but_the_api(browser: Browser, demo: Demo) -> None:
    context = browser.new_context()
    opened = context.new_page()
    strangers: list[str] = []
    opened.on(
        "request",
        lambda request: None if request.url.startswith((demo.page, "data:")) else strangers.append(request.url),
    )
    opened.goto(demo.page)
    expect(opened.locator(f'[data-asset="{MILL}"]')).to_be_visible(timeout=WAIT_MS)
    context.close()
    assert not strangers
