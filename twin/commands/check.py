"""`twin check`: every file of a configuration folder, and each against the others, without the network."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from edge.config import AgentSettings, load_agent, node_schema
from edge.opcua_files import check_files
from twin.commands.settings import TwinSettings, load_twin
from twin.errors import ConfigError
from twin.notify.check import notify_problems
from twin.notify.door import Targets
from twin.plant.load import load_plant
from twin.plant.tree import Plant
from twin.settings import load


def check_folder(folder: Path) -> list[str]:
    """One line per good file.

    Raises:
        ConfigError: with every problem of every file.
    """
    problems: list[str] = []
    lines: list[str] = []
    plant: Plant | None = None
    plant_path = folder / "plant.yaml"
    settings: TwinSettings | None = None
    try:
        settings = load_twin(folder / "twin.yaml")
        Targets(settings.notify.targets)
        plant_path = settings.plant
        lines.append(f"{folder / 'twin.yaml'}: ok")
    except ConfigError as error:
        problems += error.problems
    try:
        plant = load_plant(plant_path)
        lines.append(f"{plant_path}: ok, {len(plant.assets)} assets, {len(plant.signals)} signals")
        if settings:
            problems += _sparkplug_signals(folder / "twin.yaml", settings, plant)
            problems += (f"{folder / 'twin.yaml'}: {one}" for one in notify_problems(settings.notify, plant))
    except ConfigError as error:
        problems += error.problems
    if plant is not None:
        for path in sorted((folder / "scenarios").glob("*.yaml")):
            try:
                check_scenario(path, plant)
                lines.append(f"{path}: ok")
            except ConfigError as error:
                problems += (one if one.startswith(str(path)) else f"{path}: {one}" for one in error.problems)
    owners: dict[str, Path] = {}
    for path in sorted(folder.glob("edge-*.yaml")):
        try:
            agent = load_agent(path)
        except ConfigError as error:
            problems += error.problems
            continue
        files = check_files(path, agent)
        problems += files.problems
        lines += files.warnings
        lines.append(f"{path}: ok, node {agent.node}, {len(agent.sources)} sources")
        if plant is not None:
            problems += _against_plant(path, agent, plant, plant_path, owners)
    if problems:
        raise ConfigError(problems)
    return lines


def check_scenario(path: Path, plant: Plant) -> None:
    """Raise ConfigError when the scenario is malformed or names what the plant does not have; simulates nothing."""
    from twin.whatif.answer import changed_case
    from twin.whatif.build import Setting
    from twin.whatif.scenario import ScenarioText

    text = load(path, ScenarioText)
    changed_case(plant, text, Setting(text.start_at or datetime.now(UTC), text.horizon_s))


def _sparkplug_signals(path: Path, settings: TwinSettings, plant: Plant) -> Iterator[str]:
    for rule in settings.sparkplug.signals if settings.sparkplug else ():
        if "{" not in rule.signal and not plant.has_signal(rule.signal):
            remedy = "add it under its asset's signals or remove the rule"
            yield f"{path}: sparkplug.signals: {rule.signal!r} is not in {settings.plant}: {remedy}"


def _against_plant(
    path: Path, agent: AgentSettings, plant: Plant, plant_path: Path, owners: dict[str, Path]
) -> Iterator[str]:
    known = {signal.path: signal for signal in plant.signals}
    for entry in node_schema(agent).entries:
        signal = known.get(entry.path)
        if signal is None:
            remedy = "add it under its asset's signals or remove the mapping"
            yield f"{path}: signal {entry.path!r} is not in {plant_path}: {remedy}"
        elif (entry.kind == "text") != (signal.kind == "text"):
            kinds = f"{entry.kind} here and {signal.kind} in {plant_path}"
            yield f"{path}: signal {entry.path!r} is {kinds}: make them agree"
        other = owners.setdefault(entry.path, path)
        if other != path:
            yield f"{path}: signal {entry.path!r} is read by {other} too: keep one of the two"
