"""From stored events to histories: faults, downtime, renewals, what was not seen."""

import numpy as np

from twin.learn.risk_history import HOUR_NS, Events, make_history
from twin.plant.maintenance import MaintenanceEvent, MaintenanceKind

RUNNING, IDLE, DOWN = "Executing", "NotExecuting", "OutOfService"
MILL = "a/mill"


def events(states: list[tuple[float, str]], told: list[tuple[float, MaintenanceKind]] = (), **more) -> Events:
    at, category = np.array([hour for hour, _ in states]), [name for _, name in states]
    maintenance = [MaintenanceEvent(MILL, round(hour * HOUR_NS), None, kind) for hour, kind in told]
    return Events({MILL: (at, category)}, {}, maintenance, more.get("unseen", {}), more.get("until", {}))


def test_a_fault_begins_when_a_machine_goes_out_of_service_and_its_end_renews_its_use() -> None:
    states = [(0, RUNNING), (10, DOWN), (11, DOWN), (12, RUNNING), (20, IDLE), (30, DOWN)]
    life = make_history(MILL, events(states), 40.0).life
    assert life.failures.tolist() == [10, 30]
    assert life.down.tolist() == [[10, 12], [30, np.inf]]
    assert life.renewed.tolist() == [12]
    assert life.observed.tolist() == [[0, 40]]


def test_a_machine_that_is_down_when_it_is_first_seen_has_begun_to_be_so_then() -> None:
    life = make_history(MILL, events([(5, DOWN), (7, RUNNING)]), 40.0).life
    assert life.down.tolist() == [[5, 7]]


def test_a_fault_that_is_told_and_shown_is_one_and_planned_maintenance_is_no_fault() -> None:
    kinds = MaintenanceKind
    told = [
        (10.5, kinds.FAILURE),
        (25.0, kinds.FAILURE),
        (15.0, kinds.PREVENTIVE),
        (26.0, kinds.REPAIR),
        (27.0, kinds.INSPECTION),
    ]
    life = make_history(MILL, events([(0, RUNNING), (10, DOWN), (12, RUNNING)], told), 40.0).life
    assert life.failures.tolist() == [10, 25]
    assert life.treated.tolist() == [15]
    assert life.renewed.tolist() == [12, 15, 26]


def test_what_was_not_seen_is_taken_out_and_the_newest_sample_ends_what_is_known() -> None:
    holes = np.array([[5.0, 8.0], [20.0, 22.0]])
    found = make_history(MILL, events([(0, RUNNING)], unseen={MILL: holes}, until={MILL: 30.0}), 40.0).life
    assert found.observed.tolist() == [[0, 5], [8, 20], [22, 30]]
