"""The page in a real browser on a running demo: what an engineer sees."""

import re

import pytest
from playwright.sync_api import Browser, FloatRect, Locator, Page, expect

from tests.browser.conftest import keep_picture
from tests.journey.demo_process import Demo

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]

MILL = "factory/machining/mill-1"
WAIT_MS = 60_000
RESTARTED_MS = 120_000  # a process that was killed is there again, also on a machine that has other things to do


def test_the_overview_shows_every_unit_live(page: Page) -> None:
    expect(page.locator(".link")).to_have_text("live", timeout=RESTARTED_MS)
    page.get_by_role("button", name="Units").click()
    mill = page.locator(f'[data-asset="{MILL}"]')
    expect(mill.locator(".state strong")).not_to_contain_text("no data", timeout=WAIT_MS)
    assert page.locator("[data-asset]").count() >= 60
    expect(page.locator(".card.unknown")).to_have_count(0, timeout=WAIT_MS)
    expect(page.locator(".tile.unknown")).to_have_count(0, timeout=WAIT_MS)
    keep_picture(page, "units")


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
    expect(page.get_by_text("Values arrive as expected.").first).to_be_visible()
    expect(page.locator("[data-timeline]")).to_be_visible(timeout=WAIT_MS)
    expect(page.locator(f'[data-risk-of="{MILL}"]')).to_be_visible()
    expect(page.get_by_role("link", name="edge-factory")).to_be_visible()
    keep_picture(page, "asset")


def test_a_gateway_with_a_problem_says_so_in_words(page: Page, demo: Demo) -> None:
    page.get_by_role("link", name="Gateways").click()
    expect(page.locator("[data-gateway]")).to_have_count(2, timeout=WAIT_MS)
    for fact in ("Waiting to be sent", "Dropped", "Device clocks", "Certificates", "Configuration"):
        expect(page.locator("[data-gateway] dt").filter(has_text=fact)).to_have_count(2)
    keep_picture(page, "gateways")
    expect(page.locator(".problems li")).to_have_count(0, timeout=RESTARTED_MS)
    demo.kill("plant")
    expect(page.locator(".problems li").filter(has_text="is down").first).to_be_visible(timeout=WAIT_MS)
    expect(page.locator(".problems li")).to_have_count(0, timeout=RESTARTED_MS)


def test_an_unknown_asset_is_said_to_be_unknown(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.page}#/factory/nowhere")
    expect(page.get_by_text("There is no asset")).to_be_visible()


def test_the_page_says_when_its_connection_is_lost_and_comes_back(page: Page, demo: Demo) -> None:
    expect(page.locator(".link")).to_have_text("live", timeout=WAIT_MS)
    demo.kill("api")
    expect(page.locator(".link")).to_contain_text("connection lost", timeout=WAIT_MS)
    expect(page.locator(".link")).to_have_text("live", timeout=RESTARTED_MS)


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


def test_the_flow_shows_who_feeds_whom_and_leads_down_to_an_asset(page: Page) -> None:
    mill, rack = page.locator(f'.flow [data-asset="{MILL}"]'), page.locator('.flow [data-asset$="rack-milled"]')
    expect(mill.locator(".state")).not_to_contain_text("no data", timeout=RESTARTED_MS)
    expect(mill.locator(".rate")).to_contain_text("of 143 /h")
    expect(rack.locator(".rate")).to_have_text(re.compile(r"^\d+$"), timeout=WAIT_MS)
    assert box(rack)["x"] > box(mill)["x"]
    assert box(page.locator('.flow [data-asset$="packer-1"]'))["x"] > box(rack)["x"]
    expect(page.locator(".flow .berth")).to_have_count(2)
    assert page.locator(".flow .edge").count() >= 15
    keep_picture(page, "plant")
    page.get_by_role("link", name="Micro-factory", exact=True).click()
    expect(page.locator(".flow .berth")).to_have_count(0)
    mill.focus()
    page.keyboard.press("Enter")
    crumbs = page.get_by_role("navigation", name="where")
    expect(crumbs).to_have_text("Fabriquay demo plantMicro-factoryMachiningMill 1")
    crumbs.get_by_role("link", name="Machining").click()
    expect(page.locator('.flow [data-asset$="conveyor-1"]')).to_be_visible()  # what it hands over to
    expect(page.locator('.flow [data-asset$="packer-1"]')).to_have_count(0)


def test_on_a_tablet_the_flow_goes_down_and_nothing_is_cut_off(browser: Browser, demo: Demo) -> None:
    context = browser.new_context(viewport={"width": 768, "height": 1024}, color_scheme="light")
    tablet = context.new_page()
    for place in ("", "alarms", "plan/factory", "gateways", MILL):
        tablet.goto(f"{demo.page}#/{place}")
        expect(tablet.locator("main:not(.empty)")).to_be_visible(timeout=WAIT_MS)
        width = tablet.evaluate("document.documentElement.scrollWidth")
        assert width <= 768, f"{place or 'plant'} is {width} wide"
        keep_picture(tablet, f"tablet-{place.partition('/')[0] or 'plant'}")
    tablet.goto(f"{demo.page}#/factory")
    expect(tablet.locator(f'.flow [data-asset="{MILL}"]')).to_be_visible(timeout=WAIT_MS)
    mill, packer = (box(tablet.locator(f'.flow [data-asset$="{name}"]')) for name in ("mill-1", "packer-1"))
    assert packer["y"] > mill["y"] + 500
    context.close()


def test_a_key_figure_leads_to_what_it_is_made_of(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.page}#/{MILL}")
    figure = page.locator(".kpi").filter(has_text="Availability")
    expect(figure).to_be_visible(timeout=7 * WAIT_MS)  # the slow loop makes the buckets
    figure.click()
    made = page.locator('[data-lineage="availability"]')
    expect(made).to_contain_text("production time ÷ planned busy time")
    expect(made).to_contain_text(re.compile(r"production: .*\d+ intervals"), timeout=WAIT_MS)
    expect(made).to_contain_text(f"samples of {MILL}/state")


def test_an_operator_says_in_the_picture_what_an_interval_was(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.page}#/{MILL}")
    band = page.locator(".timeline rect").first  # a second wide, perhaps: chosen without aiming
    expect(band).to_be_attached(timeout=2 * WAIT_MS)
    band.dispatch_event("click")
    page.get_by_label("It was").select_option("no-operator")
    page.get_by_label("Why").fill("everybody was in a meeting")
    keep_picture(page, "reclassify")
    page.get_by_role("button", name="Say so").click()
    expect(page.get_by_role("status").filter(has_text="Kept")).to_contain_text("no-operator", timeout=WAIT_MS)
    said = page.request.get(f"{demo.page}v1/lineage", params={"asset": MILL}).json()["reclassified"][-1]
    assert (said["reason"], said["operator"], said["comment"]) == ("no-operator", "admin", "everybody was in a meeting")


SHOWS = """([asset, value]) => {
  const told = document.querySelector(`[data-signal="${asset}/spindle-current"] b`);
  return Math.abs(parseFloat(told.textContent) - value) < 0.01;
}"""


def test_the_slider_moves_the_whole_page_to_the_past_and_back(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.page}#/{MILL}")
    current = page.locator(f'[data-signal="{MILL}/spindle-current"] b')
    expect(current).not_to_have_text("–", timeout=WAIT_MS)
    instant = page.request.get(f"{demo.page}v1/assets/{MILL}/state").json()["at"]
    page.wait_for_timeout(5_000)  # until all that belongs to that instant has come: the page asks once
    page.goto(f"{demo.page}#/{MILL}?at={instant}")
    banner = page.get_by_role("alert").filter(has_text="This is the past")
    expect(banner).to_be_visible()
    past = page.request.get(f"{demo.page}v1/assets/{MILL}/state", params={"at": instant}).json()
    shown = past["signals"]["spindle-current"]["value"]
    page.wait_for_function(SHOWS, arg=[MILL, shown], timeout=WAIT_MS)
    expect(page.locator(".link")).to_have_text("playback")
    keep_picture(page, "playback")
    slider = page.get_by_label("Shown instant")
    slider.focus()
    for _ in range(20):  # seconds back from now, which goes on meanwhile
        page.keyboard.press("ArrowLeft")
    expect(page).not_to_have_url(re.compile(re.escape(instant[:19])))
    page.get_by_role("navigation", name="where").get_by_role("link", name="Machining").click()
    expect(banner).to_be_visible()  # links keep the instant
    page.get_by_role("button", name="Back to live").click()
    expect(banner).to_have_count(0)
    expect(page.locator(".link")).to_have_text("live")


def box(element: Locator) -> FloatRect:
    found = element.bounding_box()
    assert found
    return found
