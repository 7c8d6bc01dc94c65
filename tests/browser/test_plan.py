"""The planner's view: a machine is down for four hours, and the answer says what that costs."""

import csv
import io
import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import keep_picture
from tests.journey.demo_process import Demo

pytestmark = [pytest.mark.journey, pytest.mark.timeout(400)]

LATHE = "factory/machining/lathe-1"
COMPILED_MS = 240_000  # the first simulation after an installation makes machine code


def test_a_machine_that_is_dragged_down_costs_what_the_answer_says(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.page}#/plan/factory")
    track = page.locator(f'[data-track="{LATHE}"]')
    expect(track).to_be_visible()
    place = track.bounding_box()
    assert place
    page.mouse.move(place["x"] + 2, place["y"] + 10)
    page.mouse.down()
    page.mouse.move(place["x"] + place["width"] / 3, place["y"] + 10, steps=4)
    page.mouse.up()
    expect(page.locator(".bar")).to_have_text("4 h")
    page.locator(".bar").focus()
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator(".bar")).to_have_text("4.25 h")
    page.get_by_label("for h", exact=True).fill("4")
    page.get_by_label("Futures").select_option("200")
    page.get_by_role("button", name="Simulate").click()
    expect(page.locator("progress")).to_be_visible()
    answer = page.locator("[data-scenario]")
    expect(answer).to_be_visible(timeout=COMPILED_MS)
    expect(answer.locator(".verdict")).to_have_text(re.compile(r"^Costs [\d,]{3,}"))
    expect(answer).to_contain_text("Lathe down 4 h")
    expect(answer.locator("canvas")).to_be_visible()
    expect(answer.get_by_text("Who runs dry")).to_be_visible()
    keep_picture(page, "plan")
    address = answer.get_by_role("link", name="CSV").get_attribute("href")
    rows = list(csv.DictReader(io.StringIO(page.request.get(f"{demo.page}{address}").text())))
    assert {"site", "end_s", "base_q50", "changed_q50"} <= set(rows[0])
    expect(answer.locator("[data-sensitivity] tbody tr").first).to_be_visible()


def test_a_scenario_that_cannot_be_says_why(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.page}#/plan/factory")
    page.get_by_label("Add a change").select_option("speed")
    page.get_by_label("times", exact=True).fill("-1")
    page.get_by_role("button", name="Simulate").click()
    expect(page.get_by_role("alert")).to_contain_text("greater than 0")


def test_the_plan_has_its_tables_as_files(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.page}#/plan/terminal")
    expect(page.locator("[data-forecast]")).to_be_visible()
    for form, begins in (("csv", b"asset,"), ("xlsx", b"PK")):
        answer = page.request.get(f"{demo.page}v1/forecasts?under=terminal&by=shift&format={form}")
        assert answer.status == 200
        assert answer.body().startswith(begins) or answer.body().startswith(b'"asset"')
