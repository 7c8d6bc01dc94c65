"""One demo and one browser for all tests of the page; every machine that draws power has an alarm in it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.journey.demo_process import ROOT, Demo
from tests.servers import open_folder

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
OWN = "four words and a dot."  # admin's password
ALWAYS = "power: { title: Active power, kind: measurement, unit: kW, range: [0, 30], resolution: 0.01, period_s: 0.5 }"
ALARM = ALWAYS.replace(" }", ", alarms: { hi: { limit: 0.001, on_delay_s: 1, off_delay_s: 3600, priority: high } } }")


@pytest.fixture(scope="package")
def demo() -> Iterator[Demo]:
    with open_folder("page") as folder:
        configs = folder / "configs"
        shutil.copytree(ROOT / "configs", configs)
        plant = configs / "plant.yaml"
        text = plant.read_text()
        assert ALWAYS in text
        plant.write_text(text.replace(ALWAYS, ALARM))
        with Demo(folder) as running:
            choose_password(running)
            yield running


def choose_password(demo: Demo) -> None:
    """What admin does first: the told password for one of their own."""
    with httpx.Client(base_url=demo.page, headers={"Origin": demo.page.rstrip("/")}) as http:
        http.post("v1/session", json={"name": "admin", "password": demo.password}).raise_for_status()
        http.put("v1/session/password", json={"old": demo.password, "new": OWN}).raise_for_status()


@pytest.fixture(scope="package")  # not longer: its event loop runs in this thread, and other tests have their own
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
    context.request.post(f"{demo.page}v1/session", data={"name": "admin", "password": OWN})
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
