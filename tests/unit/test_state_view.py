"""What the page is told of an asset: machine state, production, health, freshness with its reason, roll-ups."""

import orjson
import pytest

from tests.unit.monitor_plant import SECOND, START_NS, batch, make_ids, make_plant
from twin.monitor.engine import Engine
from twin.state.document import document, rfc3339
from twin.state.freshness import gateway_status
from twin.state.view import view
from twin.wire.reading import Quality

PLANT = make_plant()
IDS = make_ids(PLANT)
SAW, PRESS, SITE = "factory/hall/saw", "factory/hall/press", "factory"


def rows_of(machine, *, seconds=60, state=1.0, current=5.0, cycle_s=6, quality=0):
    at = [START_NS + k * SECOND for k in range(seconds)]
    path = f"factory/hall/{machine}"
    rows = [(IDS[f"{path}/state"], time, state, 0) for time in at]
    rows += [(IDS[f"{path}/count"], time, float(k // cycle_s), 0) for k, time in enumerate(at)]
    return rows + [(IDS[f"{path}/current"], time, current, quality) for time in at]


def look(engine, path, *, after_s=0.5, gateways=None):
    last_ns = START_NS + 59 * SECOND
    return document(view(engine.state, path, last_ns + int(after_s * 1e9), gateways or {}))


@pytest.fixture
def running():
    engine = Engine(PLANT, IDS)
    texts = [(IDS[f"{SAW}/order"], START_NS, "A-17")]
    engine.push(batch(rows_of("saw") + rows_of("press", cycle_s=12), texts=texts), 9)
    return engine


def test_a_running_machine_is_shown_with_all_that_is_known(running):
    shown = look(running, SAW)
    assert (shown["format"], shown["path"], shown["seq"], shown["health"]) == (1, SAW, 9, "good")
    assert shown["machine_state"] == {"name": "running", "category": "Executing", "since": rfc3339(START_NS)}
    assert shown["throughput"]["unit"] == "parts"
    assert shown["throughput"]["now_per_h"] == 600.0
    assert shown["throughput"]["this_shift"] == 9
    assert shown["throughput"]["shift"]["name"] == "early"
    assert shown["freshness"]["reason"] == "live"
    assert shown["freshness"]["age_s"] == 0.5
    assert shown["signals"]["count"]["value"] == 9
    assert shown["signals"]["order"]["value"] == "A-17"
    assert shown["signals"]["current"] == {
        "value": 5.0,
        "time": rfc3339(START_NS + 59 * SECOND),
        "received_at": rfc3339(START_NS + 59 * SECOND),
        "quality": "good",
        "fresh": True,
    }
    assert orjson.loads(orjson.dumps(shown)) == shown


def test_an_asset_that_never_spoke_says_so():
    shown = look(Engine(PLANT, IDS), SAW)
    assert shown["freshness"] == {
        "newest_at": None,
        "age_s": None,
        "reason": "never",
        "explanation": "No value has ever come from this asset.",
    }
    assert shown["health"] == "unknown"
    assert shown["throughput"]["now_per_h"] is None


def test_the_rate_falls_while_the_next_part_is_overdue(running):
    rates = [look(running, SAW, after_s=after_s)["throughput"]["now_per_h"] for after_s in (0.5, 5, 30, 200, 2000)]
    assert rates[0] == 600.0
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == 0.0


def test_a_new_shift_starts_from_zero(running):
    shown = look(running, SAW, after_s=4 * 3600)
    assert shown["throughput"]["shift"]["name"] == "late"
    assert shown["throughput"]["this_shift"] == 0


GATEWAY = {"status": "online", "at": "2026-11-18T11:00:00Z", "backlog": {"batches": 0}, "sources": []}


@pytest.mark.parametrize(
    ("health", "reason", "words"),
    [
        (GATEWAY, "stale", "the device sends nothing although gateway edge-1 is online"),
        (
            {**GATEWAY, "status": "offline"},
            "gateway-offline",
            "gateway edge-1 is offline since 2026-11-18 11:00:00 UTC",
        ),
        (
            {
                **GATEWAY,
                "sources": [
                    {"name": "cnc", "status": "down", "detail": "refused", "since": "2026-11-18T12:07:01+01:00"}
                ],
            },
            "stale",
            "source cnc of gateway edge-1 is down since 2026-11-18 11:07:01 UTC (refused)",
        ),
        ({**GATEWAY, "backlog": {"batches": 40}}, "late", "still holds 40 batches that are on their way"),
        ({"status": 3, "backlog": [], "sources": [None, 1]}, "gateway-offline", "gateway edge-1 is offline"),
    ],
)
def test_an_old_value_is_explained_in_one_sentence(running, health, reason, words):
    shown = look(running, SAW, after_s=60, gateways={"edge-1": gateway_status("edge-1", health)})
    assert shown["freshness"]["reason"] == reason
    assert shown["freshness"]["explanation"].startswith("Silent since 2026-11-18 11:07:39 UTC: ")
    assert words in shown["freshness"]["explanation"]
    assert not shown["signals"]["current"]["fresh"]
    assert shown["findings"] == []  # the whole asset is silent: said once, not per signal


def test_an_old_value_without_a_known_gateway_says_that(running):
    assert "nothing is known of its gateway" in look(running, SAW, after_s=60)["freshness"]["explanation"]


def test_a_single_silent_signal_is_a_finding_while_the_rest_speaks(running):
    later = [(IDS[f"{SAW}/state"], START_NS + k * SECOND, 1.0, 0) for k in range(60, 120)]
    running.push(batch(later))
    shown = look(running, SAW, after_s=60)
    (finding,) = shown["findings"]
    assert (finding["detector"], finding["signal"]) == ("stale", f"{SAW}/current")
    assert shown["freshness"]["reason"] == "live"
    assert shown["health"] == "warning"


def test_a_machine_in_fault_is_bad():
    engine = Engine(PLANT, IDS)
    engine.push(batch(rows_of("saw", state=4.0)))
    assert look(engine, SAW)["health"] == "bad"


def test_an_open_range_finding_is_shown_and_makes_the_asset_and_its_site_bad(running):
    rows = [(IDS[f"{PRESS}/current"], START_NS + k * SECOND, 2e3, 0) for k in range(60, 80)]
    running.push(batch(rows))
    (finding,) = look(running, PRESS, after_s=20.5)["findings"]
    assert finding["detector"] == "range"
    site = look(running, SITE, after_s=20.5)
    assert site["health"] == "bad"
    assert finding in site["findings"]


def test_a_bad_value_is_shown_as_bad_and_a_value_that_is_no_number_as_none():
    engine = Engine(PLANT, IDS)
    engine.push(batch(rows_of("saw", current=float("nan"), quality=Quality.BAD)))
    shown = look(engine, SAW)["signals"]["current"]
    assert (shown["value"], shown["quality"]) == (None, "bad")


def test_a_site_counts_its_machines_and_a_part_that_passes_two_of_them_once(running):
    shown = look(running, SITE)
    assert shown["children"] == {"running": 2, "down": 0, "total": 2}
    assert shown["throughput"]["now_per_h"] == 300.0  # the press is the last machine of the flow
    assert shown["throughput"]["this_shift"] == 4
    assert shown["signals"] == {}
    assert shown["machine_state"] is None


def test_a_site_names_the_machines_that_are_silent(running):
    rows = [(IDS[f"{SAW}/{name}"], START_NS + 100 * SECOND, 1.0, 0) for name in ("state", "count", "current")]
    running.push(batch(rows))
    shown = look(running, SITE, after_s=42)
    assert shown["freshness"]["reason"] == "live"
    assert shown["freshness"]["explanation"] == "Values arrive, but not from press."


def test_asking_changes_nothing(running):
    before = running.snapshot()
    look(running, SITE, after_s=1e6)
    assert running.snapshot() == before
