"""The alarm list in a real browser on a running demo: seen, acknowledged, shelved and told apart, with keys alone."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import keep_picture
from tests.browser.test_page import MILL, WAIT_MS
from tests.journey.demo_process import Demo

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]


FIRST, OWN = "a first password", "four words of my own"


def become_nobody(page: Page, demo: Demo) -> None:
    """Admin makes a user Kim, who has not signed in yet."""
    kim = {"name": "Kim", "password": FIRST, "grants": [{"role": "engineer"}]}
    made = page.request.post(f"{demo.page}v1/users", data=kim, headers={"Origin": demo.page.rstrip("/")})
    assert made.ok, made.text()
    page.context.clear_cookies()
    page.reload()


def sign_in_with_keys(page: Page) -> None:
    """The first log-in, with a password that somebody else has chosen: it asks for one of one's own."""
    expect(page.get_by_role("dialog", name="Sign in")).to_be_visible(timeout=WAIT_MS)
    keep_picture(page, "sign-in")
    page.keyboard.type("Kim")
    page.keyboard.press("Tab")
    page.keyboard.type(FIRST)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Choose your own password")).to_be_visible(timeout=WAIT_MS)
    page.locator("input[name=new-password]").focus()
    page.keyboard.type(OWN)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0, timeout=WAIT_MS)
    expect(page.locator("header .account")).to_contain_text("Kim")


def test_the_overview_counts_alarms_and_leads_to_the_list(page: Page) -> None:
    count = page.locator("header.top .alarm-count")
    expect(count).to_have_text(re.compile(r"[1-9]\d* alarms?"), timeout=4 * WAIT_MS)
    keep_picture(page, "overview-alarms")
    count.click()
    expect(page.locator("tr.alarm").first).to_be_visible(timeout=WAIT_MS)
    expect(page.locator("tr.group").first).to_be_visible()
    first = page.locator("tr.alarm").filter(has_text="Active power is").first
    expect(first).to_contain_text("above 0.001 kW")
    keep_picture(page, "alarms")


def test_an_operator_acknowledges_with_keys_alone(page: Page, demo: Demo) -> None:
    become_nobody(page, demo)
    page.goto(f"{demo.page}#/alarms")
    row = page.locator("tr.alarm").filter(has_text="Active power is").filter(has_text="unacknowledged").first
    expect(row).to_be_visible(timeout=2 * WAIT_MS)
    alarm = row.get_attribute("data-alarm")
    row = page.locator(f'[data-alarm="{alarm}"]')
    row.get_by_role("button", name="Acknowledge").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Comment")).to_be_focused()
    page.keyboard.type("looking at it")
    keep_picture(page, "acknowledge")
    page.keyboard.press("Enter")
    sign_in_with_keys(page)
    expect(row).to_contain_text("acknowledged", timeout=WAIT_MS)
    expect(row.get_by_role("button", name="Acknowledge")).to_have_count(0)
    history = page.request.get(f"{demo.page}v1/alarms/{alarm}").json()["history"]
    assert history[-1]["what"] == "acknowledged"
    assert (history[-1]["operator"], history[-1]["comment"]) == ("Kim", "looking at it")


def test_a_shelved_alarm_leaves_the_list_and_says_who_shelved_it(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.page}#/{MILL}")
    row = page.locator("tr.alarm").filter(has_text="Active power is").first
    expect(row).to_be_visible(timeout=2 * WAIT_MS)
    row.get_by_role("button", name="Shelve", exact=True).click()
    page.get_by_label("Comment").fill("test run")
    page.locator("form.act select").select_option("900")
    page.get_by_label("Comment").press("Enter")
    expect(row).to_contain_text("shelved by admin", timeout=WAIT_MS)
    page.goto(f"{demo.page}#/alarms")
    page.get_by_role("button", name="Shelved and suppressed").click()
    expect(page.locator("tr.alarm").filter(has_text="shelved by admin")).to_be_visible(timeout=WAIT_MS)
    keep_picture(page, "shelved")


def test_escape_leaves_a_form_and_nothing_is_done(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.page}#/alarms")
    row = page.locator("tr.alarm").first
    expect(row).to_be_visible(timeout=2 * WAIT_MS)
    row.get_by_role("button", name="Comment").click()
    expect(page.locator("form.act")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("form.act")).to_have_count(0)


def test_another_limit_is_tried_over_what_is_stored_and_nothing_is_changed(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.page}#/{MILL}")
    row = page.locator("tr.alarm").filter(has_text="Active power is").first
    expect(row).to_be_visible(timeout=2 * WAIT_MS)
    row.get_by_role("button", name="Try another limit").click()
    tried = page.locator(".replayed")
    for limit, raised in ((1_000, 0), (0.002, 1)):
        page.get_by_label("limit", exact=True).fill(str(limit))
        page.get_by_role("button", name="Replay").click()
        expect(tried).to_have_attribute("data-replayed", str(raised), timeout=WAIT_MS)
    expect(tried).to_contain_text("Nothing was changed")
    keep_picture(page, "replay")
    expect(row).to_contain_text("above 0.001 kW")


def test_the_view_of_floods_says_that_there_is_none_and_how_well_the_alarms_serve(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.page}#/alarms")
    page.get_by_role("button", name=re.compile("^Floods")).click()
    expect(page.get_by_role("status").filter(has_text="No flood")).to_be_visible()
    expect(page.locator("dl.facts")).to_contain_text("Per operator and hour", timeout=WAIT_MS)
    keep_picture(page, "floods")
