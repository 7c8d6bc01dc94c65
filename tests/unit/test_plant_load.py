"""The plant file: what it becomes, and how every mistake in it is named."""

from pathlib import Path

import pytest

from twin.errors import ConfigError
from twin.plant.load import load_plant
from twin.plant.tree import Category, Kind, Level
from twin.plant.units import is_unit

DEMO = Path(__file__).parents[2] / "configs" / "plant.yaml"

GOOD = """\
format: 1
enterprise: acme
title: Acme
calendars:
  week: { timezone: Europe/Berlin, shifts: { early: { hours: "06:00-14:00" }, late: { hours: "14:00-22:00" } } }
states:
  machine: { 0: { name: "off", category: NotAvailable }, 1: { name: running, category: Executing } }
  door: { 0: { name: shut }, 1: { name: open } }
types:
  thing:
    signals:
      state: { kind: state, states: machine, role: machine-state, period_s: 5 }
      power: { title: Power, kind: measurement, unit: kW, range: [0, 10], resolution: 0.1, period_s: 2 }
  press:
    extends: thing
    signals:
      power: { range: [0, 50] }
      good-count: { kind: counter, unit: parts, role: good-count }
  store: {}
sites:
  hall:
    calendar: week
    areas:
      metal:
        units:
          press-{08..11}: { type: press, title: "Press {}" }
          rack: { type: store, capacity: 5 }
      wood:
        lines:
          saw-line:
            calendar: week
            units:
              saw: { type: thing, signals: { power: { unit: W } } }
flow:
  - { from: "hall/metal/press-{08..11}", to: hall/wood/saw-line/saw, buffer: hall/metal/rack }
"""


@pytest.fixture
def plant_file(tmp_path):
    def write(text):
        path = tmp_path / "plant.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_the_demo_plant_has_the_machines_of_both_sites():
    plant = load_plant(DEMO)
    types = [asset.type for asset in plant.assets]
    expected = {"mill": 2, "lathe": 1, "printer": 2, "robot": 1, "inspection-cell": 1, "packer": 1, "conveyor": 1}
    expected |= {"sts-crane": 2, "yard-crane": 4, "carrier": 6, "reefer-slot": 40, "gate-lane": 4}
    assert {name: types.count(name) for name in expected} == expected
    assert plant.signal("factory/machining/mill-1/spindle-current").unit == "A"
    assert plant.signal("terminal/quay/sts-1/move-count").role == "move-count"


def test_every_moving_unit_of_the_demo_has_a_state_with_seven_codes():
    plant = load_plant(DEMO)
    states = [signal for signal in plant.signals if signal.role == "machine-state"]
    assert len(states) == 9 + 6 + 6 + 4
    assert all(set(one.states) == set(range(7)) for one in states)
    assert all(one.states[4].category is Category.OUT_OF_SERVICE for one in states)


def test_parents_stand_before_their_children():
    plant = load_plant(DEMO)
    seen = set()
    for asset in plant.assets:
        assert asset.parent is None or asset.parent in seen
        seen.add(asset.path)


def test_a_heir_changes_only_what_it_names(plant_file):
    plant = load_plant(plant_file(GOOD))
    power = plant.signal("hall/metal/press-08/power")
    assert (power.title, power.unit, power.low, power.high, power.resolution) == ("Power", "kW", 0, 50, 0.1)
    assert plant.signal("hall/wood/saw-line/saw/power").unit == "W"
    assert plant.signal("hall/wood/saw-line/saw/power").high == 10


def test_a_range_of_names_becomes_units_with_padded_numbers(plant_file):
    plant = load_plant(plant_file(GOOD))
    names = [asset.name for asset in plant.children("hall/metal")]
    assert names == ["press-08", "press-09", "press-10", "press-11", "rack"]
    assert plant.asset("hall/metal/press-09").title == "Press 09"
    assert [link.source for link in plant.flow] == [f"hall/metal/press-{n}" for n in ("08", "09", "10", "11")]


def test_levels_parents_and_calendars_follow_the_nesting(plant_file):
    plant = load_plant(plant_file(GOOD))
    saw = plant.asset("hall/wood/saw-line/saw")
    assert saw.level is Level.UNIT
    assert saw.parent == "hall/wood/saw-line"
    assert plant.asset("hall/wood/saw-line").level is Level.LINE
    assert plant.site_of(saw.path).path == "hall"
    assert saw.calendar == "week"
    assert plant.calendar_of(saw.path).timezone == "Europe/Berlin"
    assert plant.buffers["hall/metal/rack"].capacity == 5


def test_defaults_of_a_signal_are_five_periods_and_a_readable_title(plant_file):
    signal = load_plant(plant_file(GOOD)).signal("hall/metal/press-08/good-count")
    assert (signal.period_s, signal.stale_after_s, signal.title) == (1.0, 5.0, "Good count")
    assert signal.kind is Kind.COUNTER


def test_the_revision_ignores_comments_and_notices_content(plant_file):
    first = load_plant(plant_file(GOOD)).revision
    assert load_plant(plant_file("# hello\n" + GOOD)).revision == first
    assert load_plant(plant_file(GOOD.replace("capacity: 5", "capacity: 6"))).revision != first


def line_of(text, part):
    return next(at for at, line in enumerate(text.splitlines(), 1) if part in line)


MISTAKES = {
    "unknown key": ("period_s: 2", "perod_s: 2", "unknown key"),
    "unknown unit": ("unit: kW", "unit: kiloparsnip", "no unit of measurement"),
    "broken unit": ("unit: kW", "unit: kW/", "no unit of measurement"),
    "low above high": ("range: [0, 10]", "range: [10, 0]", "low below high"),
    "unknown type": ("saw: { type: thing", "saw: { type: thong", "no type 'thong'"),
    "unknown ancestor": ("extends: thing", "extends: thang", "no type 'thang'"),
    "unknown role": ("role: good-count", "role: godo-count", "no role 'godo-count'"),
    "role on the wrong kind": ("kind: counter", "kind: measurement", "needs kind counter"),
    "unknown kind": ("kind: counter", "kind: conter", "measurement"),
    "unknown states": ("states: machine", "states: machin", "no states 'machin'"),
    "state without states": ("kind: state, states: machine,", "kind: state,", "a state needs its codes"),
    "states on a measurement": (
        "power: { title: Power,",
        "power: { title: Power, states: door,",
        "a measurement has no states",
    ),
    "machine state without category": ("name: running, category: Executing", "name: running", "needs an OPC 40001-1"),
    "unknown category": ("category: Executing", "category: Dancing", "NotExecuting"),
    "unknown calendar": ("    calendar: week\n    areas", "    calendar: weak\n    areas", "no calendar 'weak'"),
    "unknown time zone": ("Europe/Berlin", "Europe/Bonn", "IANA time zone"),
    "bad hours": ("14:00-22:00", "14:00-26:00", "local wall time"),
    "overlapping shifts": ("14:00-22:00", "13:00-22:00", "overlaps with shift 'early'"),
    "dangling source": (
        'from: "hall/metal/press-{08..11}"',
        "from: hall/metal/press-7",
        "no unit 'hall/metal/press-7'",
    ),
    "dangling target": ("to: hall/wood/saw-line/saw", "to: hall/wood/saw", "no unit 'hall/wood/saw'"),
    "dangling buffer": ("buffer: hall/metal/rack", "buffer: hall/metal/shelf", "no unit 'hall/metal/shelf'"),
    "buffer without capacity": ("rack: { type: store, capacity: 5 }", "rack: { type: store }", "has no capacity"),
    "self-feeding unit": (
        'from: "hall/metal/press-{08..11}", to: hall/wood/saw-line/saw',
        "from: hall/metal/rack, to: hall/metal/rack",
        "feeds itself",
    ),
    "bad name": ("saw-line:", "Saw_Line:", "lower-case words"),
    "range that counts down": ("press-{08..11}: {", "press-{11..08}: {", "count upwards"),
    "missing key": ("title: Acme\n", "", "is missing"),
    "text with a unit": (
        "kind: counter, unit: parts, role: good-count",
        "kind: text, unit: parts",
        "a text has no such",
    ),
    "signal without kind": ("kind: counter, unit: parts, role: good-count", "unit: parts", "kind is missing"),
    "zero period": ("period_s: 5", "period_s: 0", "greater than 0"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_with_file_line_and_key(mistake, plant_file):
    before, after, message = MISTAKES[mistake]
    assert GOOD.count(before) >= 1
    text = GOOD.replace(before, after, 1)
    path = plant_file(text)
    with pytest.raises(ConfigError) as caught:
        load_plant(path)
    found = [problem for problem in caught.value.problems if message in problem]
    assert found, caught.value
    file, line, key, *_ = found[0].removeprefix(str(path.parent)).split(":", 3)
    assert file == "/plant.yaml"
    assert 1 <= int(line) <= len(text.splitlines())
    assert key.strip()
    if mistake == "buffer without capacity":  # is named where the buffer is used
        assert int(line) == line_of(text, "buffer: hall/metal/rack")
    elif mistake != "missing key":
        assert int(line) == GOOD[: GOOD.index(before)].count("\n") + 1, found[0]


def test_duplicate_assets_are_refused_where_the_second_stands(plant_file):
    text = GOOD.replace("          rack: {", "          press-09: { type: press }\n          rack: {")
    with pytest.raises(ConfigError, match=r":\d+: .*there is already an asset 'hall/metal/press-09'") as caught:
        load_plant(plant_file(text))
    assert f":{line_of(text, 'press-09: {')}:" in str(caught.value)


def test_a_type_that_is_its_own_ancestor_is_refused(plant_file):
    text = GOOD.replace("  thing:\n", "  thing:\n    extends: press\n", 1)
    with pytest.raises(ConfigError, match=r"own ancestor .press → thing → press"):
        load_plant(plant_file(text))


def test_all_problems_come_at_once_and_in_the_order_of_the_file(plant_file):
    text = (
        GOOD.replace("unit: kW", "unit: parsnip")
        .replace("type: store, cap", "type: stoer, cap")
        .replace("to: hall/wood/saw-line/saw", "to: nowhere")
    )
    with pytest.raises(ConfigError) as caught:
        load_plant(plant_file(text))
    lines = [int(problem.split(":")[1]) for problem in caught.value.problems]
    assert len(lines) == 3
    assert lines == sorted(lines)


def test_one_mistake_in_a_type_is_told_once_however_many_units_have_it(plant_file):
    with pytest.raises(ConfigError) as caught:
        load_plant(plant_file(GOOD.replace("kind: counter", "kind: measurement")))
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    "unit", ["", "°C", "mm/s", "1/min", "%", "parts", "moves", "containers/h", "kW*h", "µm", "TEU"]
)
def test_units_that_plants_use_are_units(unit):
    assert is_unit(unit)


@pytest.mark.parametrize("unit", ["m/", "(", "3", "parsnip", "m**", "/", "kg)", "m;s"])
def test_what_is_no_unit_is_refused_without_an_accident(unit):
    assert not is_unit(unit)


def test_a_packml_state_says_category_and_reason_and_the_file_stands_above_it(plant_file):
    states = "0: { name: held, packml: Held }, 1: { name: run, packml: Execute, reason: quality }"
    path = plant_file(
        GOOD.replace('0: { name: "off", category: NotAvailable }, 1: { name: running, category: Executing }', states)
    )
    found = load_plant(path).signal("hall/metal/press-08/state").states
    assert (found[0].category, found[0].reason) == (Category.NOT_EXECUTING, "held")
    assert (found[1].category, found[1].reason) == (Category.EXECUTING, "quality")


def test_ideal_cycle_and_microstop_come_from_the_unit_else_from_the_nearest_type(plant_file):
    text = GOOD.replace(
        "  press:\n    extends: thing\n", "  press:\n    extends: thing\n    ideal_cycle_s: 12\n    microstop_s: 0\n"
    )
    text = text.replace("saw: { type: thing,", "saw: { type: thing, ideal_cycle_s: 3.5,")
    plant = load_plant(plant_file(text))
    press, saw = plant.asset("hall/metal/press-09"), plant.asset("hall/wood/saw-line/saw")
    assert (press.ideal_cycle_s, press.microstop_s) == (12, 0)
    assert (saw.ideal_cycle_s, saw.microstop_s) == (3.5, 60)


def test_a_stop_reason_that_nobody_knows_is_named(plant_file):
    with pytest.raises(ConfigError, match="reason"):
        load_plant(plant_file(GOOD.replace("name: running,", "name: running, reason: bad-mood,")))
