"""Limits that servers declare and are known for; what they grant against what was asked."""

import pytest

from edge.sources.opcua_granted import differences, outages, tolerated_s, warning
from edge.sources.opcua_items import MonitoredItem
from edge.sources.opcua_limits import Build, Limits, profile_of, together
from edge.sources.opcua_settings import OpcUaItem
from twin.errors import ConfigError


@pytest.mark.parametrize(
    ("build", "profile"),
    [
        (Build("https://www.siemens.com/s7-1200", "Siemens AG", "6ES7 215-1AG40-0XB0"), "siemens-s7-1200"),
        (Build("", "Siemens AG", "6ES7 515-2AM02-0AB0"), "siemens-s7-1500"),
        (Build("urn:inductiveautomation:ignition:gateway"), "ignition"),
        (Build("", "NodeOPCUA", "Server"), "generic"),
        (Build(), "generic"),
    ],
)
def test_a_make_is_known_by_what_the_server_says_of_itself(build: Build, profile: str) -> None:
    assert profile_of(build).profile == profile


def test_a_profile_can_be_named_and_a_wrong_name_lists_the_right_ones() -> None:
    assert profile_of(Build(), "siemens-s7-1200").items_per_call == 100
    with pytest.raises(ConfigError, match="siemens-s7-1500, ignition, generic"):
        profile_of(Build(), "s7")


def test_the_smaller_limit_counts_and_what_only_one_knows_holds() -> None:
    both = together(Limits(items_per_call=50, nodes_per_read=5000, queue=20), profile_of(Build(), "siemens-s7-1200"))
    assert both.profile == "siemens-s7-1200"
    assert (both.items_per_call, both.nodes_per_read, both.queue, both.monitored_items) == (50, 100, 20, 1000)
    assert both.nodes_per_history_read == 0


def item(
    name: str, *, asked: tuple[float, int] = (100.0, 50), granted: tuple[float, int] = (100.0, 50)
) -> MonitoredItem:
    settings = OpcUaItem(node="i=1", signal=f"plant/{name}")
    return MonitoredItem(settings, 0, *asked, created=True, revised_sampling_ms=granted[0], revised_queue=granted[1])


def test_an_outage_is_survived_by_queue_and_subscription_whichever_is_shorter() -> None:
    assert tolerated_s(item("a"), 600.0) == 5.0
    assert tolerated_s(item("a"), 3.0) == 3.0
    assert tolerated_s(item("a", granted=(0.0, 50)), 600.0) == 5.0  # by exception: as fast as was asked, at worst
    assert tolerated_s(item("a", asked=(0.0, 50), granted=(0.0, 50)), 600.0) is None
    assert outages([item("a"), item("b", granted=(100.0, 10))], 600.0) == {"plant/b": 1.0, "plant/a": 5.0}


def test_what_is_granted_as_asked_is_no_news() -> None:
    assert differences([item("a"), item("b", granted=(50.0, 60))], 5.0, 5.0) == []
    assert warning([item("a")], 600.0, 5.0) == ""


def test_less_than_asked_is_told_with_the_worst_pair() -> None:
    items = [item("a", granted=(100.0, 10)), item("b", granted=(1000.0, 1)), item("c")]
    assert differences(items, 30.0, 5.0) == [
        {"what": "sampling_ms", "items": 1, "asked": 100.0, "granted": 1000.0},
        {"what": "queue", "items": 2, "asked": 50, "granted": 1},
        {"what": "keep_alive_s", "items": 3, "asked": 5.0, "granted": 30.0},
    ]
    told = warning(items, 600.0, 5.0)
    assert told.startswith("2 nodes lose values in an outage of less than 5 s; plant/")
    assert "granted a queue of" in told
