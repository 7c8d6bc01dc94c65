"""`twin prepare` makes what the first start would have to wait for."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from twin.commands.prepare import simulator
from twin.kernels.calendar_state import snapshot
from twin.kernels.event_calendar import calendar
from twin.kernels.flowline import flowline
from twin.plant.load import load_plant
from twin.settings import load
from twin.whatif.answer import answer
from twin.whatif.build import Setting
from twin.whatif.scenario import ScenarioText

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(600)
def test_every_part_is_made_and_said() -> None:
    words = [sys.executable, "-m", "twin.commands.cli", "prepare"]
    told = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line.split(":")[0] for line in told] == ["live models", "simulator"]


@pytest.mark.timeout(600)
def test_a_scenario_of_the_demo_runs_on_the_machine_code_that_was_made_ahead() -> None:
    plant = load_plant(ROOT / "configs" / "plant.yaml")
    simulator(plant)
    made = [list(kernel.signatures) for kernel in (calendar, flowline)]
    assert [len(each) for each in made] == [1, 1]
    for path in sorted((ROOT / "configs" / "scenarios").glob("*.yaml"))[:2]:
        text = load(path, ScenarioText).model_copy(update={"replications": 10})
        answer(plant, text, Setting(datetime(2026, 9, 2, 6, tzinfo=UTC), text.horizon_s), threads=1)
    assert [list(kernel.signatures) for kernel in (calendar, flowline)] == made


def test_a_step_of_a_kernel_that_is_called_from_python_says_so() -> None:
    with pytest.raises(TypeError, match="snapshot is a step of a kernel"):
        snapshot(None, None, None, 0, 0)
