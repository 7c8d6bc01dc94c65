"""Alarms in the plant file: inheritance, defaults, and how each mistake is named."""

import pytest

from tests.unit.test_plant_load import GOOD, plant_file
from twin.errors import ConfigError
from twin.plant.alarm import Priority
from twin.plant.load import load_plant

__all__ = ["plant_file"]

POWER = "hall/metal/press-08/power"


def with_alarms(thing="", press=""):
    text = GOOD.replace("resolution: 0.1, period_s: 2 }", f"resolution: 0.1, period_s: 2{thing} }}")
    return text.replace("power: { range: [0, 50] }", f"power: {{ range: [0, 50]{press} }}")


def alarms(plant_file, text, signal=POWER):
    return {one.name: one for one in load_plant(plant_file(text)).signal(signal).alarms}


def test_a_bare_number_is_a_limit_with_defaults(plant_file):
    (one,) = alarms(plant_file, with_alarms(", alarms: { hi: 9 }")).values()
    assert (one.limit, one.priority, one.on_delay_s, one.off_delay_s) == (9.0, Priority.MEDIUM, 2.0, 10.0)
    assert one.deadband == pytest.approx(0.5)  # 1 % of the heir's range
    assert not one.latch


def test_an_heir_changes_one_key_and_takes_another_alarm_away(plant_file):
    text = with_alarms(
        ", alarms: { lo: 1, hi: { limit: 9, latch: true } }", ", alarms: { lo: null, hi: { limit: 40 } }"
    )
    found = alarms(plant_file, text)
    assert list(found) == ["hi"]
    assert (found["hi"].limit, found["hi"].latch) == (40.0, True)
    assert list(alarms(plant_file, text, "hall/wood/saw-line/saw/power")) == ["lo", "hi"]


def test_the_outer_limit_is_the_parent_of_the_nearer_one(plant_file):
    found = alarms(plant_file, with_alarms(", alarms: { hi: 8, hi-hi: 9, lo: 1 }"))
    assert found["hi"].parent == f"{POWER}.hi-hi"
    assert found["lo"].parent is None
    assert found["hi-hi"].priority is Priority.HIGH


def test_a_parent_may_be_another_signal_of_the_unit(plant_file):
    text = with_alarms(", alarms: { hi: { limit: 8, parent: state.stale } }").replace(
        "role: machine-state, period_s: 5 }", "role: machine-state, period_s: 5, alarms: { stale: {} } }"
    )
    assert alarms(plant_file, text)["hi"].parent == "hall/metal/press-08/state.stale"
    assert alarms(plant_file, text, "hall/metal/press-08/state")["stale"].after_s == 50.0


@pytest.mark.parametrize(
    ("thing", "problem"),
    [
        ("{ hi: 8, hi-hi: 8 }", "alarms.hi-hi.limit: 8 is not above the hi limit 8"),
        ("{ lo: 9, hi: 8 }", "alarms.hi.limit: 8 is not above the lo limit 9"),
        ("{ hi: 80 }", "alarms.hi.limit: 80 lies outside the range [0, 50]"),
        ("{ hi: {} }", "alarms.hi: limit is missing; add limit"),
        ("{ hi: { limit: 8, after_s: 5 } }", "only a stale alarm has this key"),
        ("{ stale: { limit: 8 } }", "alarms.stale.limit: a stale alarm has no such key"),
        ("{ hi: { limit: 8, parent: power.hi } }", "an alarm cannot be its own parent"),
        ("{ hi: { limit: 8, parent: power.lo } }", "there is no alarm 'power.lo' in this unit; name one of power.hi"),
        ("{ high: 8 }", "high"),
        ("{ hi: { limit: 8, priority: urgent } }", "alarms.hi.priority"),
    ],
)
def test_a_mistake_is_named_with_its_line(plant_file, thing, problem):
    text = with_alarms(f", alarms: {thing}")
    line = 1 + next(at for at, one in enumerate(text.splitlines()) if "alarms:" in one)
    with pytest.raises(ConfigError) as caught:
        load_plant(plant_file(text))
    assert any(problem in one and f"plant.yaml:{line}:" in one for one in caught.value.problems), caught.value.problems


def test_a_limit_on_a_counter_is_refused(plant_file):
    text = GOOD.replace("role: good-count }", "role: good-count, alarms: { hi: 5 } }")
    with pytest.raises(ConfigError, match=r"a counter has no limits; remove the alarm"):
        load_plant(plant_file(text))
