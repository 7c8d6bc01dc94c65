"""A gateway pays for the edge and for nothing else."""

import json
import subprocess
import sys
from importlib.metadata import distribution

from packaging.requirements import Requirement

HEAVY = (
    "numpy",
    "numba",
    "psycopg",
    "fastapi",
    "sklearn",
    "orjson",
    "pyarrow",
    "google.protobuf",
    "opentelemetry",
    "rich",
)


def test_the_edge_commands_import_nothing_heavy() -> None:
    code = (
        "import sys, json, edge.agent, edge.config, edge.sources.opcua, edge.sources.mqtt, edge.sources.replay, "
        "twin.commands.cli, twin.commands.edge_discover, twin.commands.edge_live, twin.commands.edge_desired, edge.rollout;"
        "print(json.dumps([name for name in sys.modules]))"
    )
    loaded = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    heavy = [name for name in HEAVY if name in loaded and name != "rich"]
    assert not heavy
    assert not [name for name in loaded if name.startswith(("twin.store", "twin.plant", "twin.samples", "api"))]


def test_the_edge_extra_requires_nothing_heavy() -> None:
    wanted, seen = [("fabriquay", frozenset({"edge"}))], set()
    while wanted:
        name, extras = wanted.pop()
        seen.add(name)
        for text in distribution(name).requires or ():
            requirement = Requirement(text)
            markers = [{"extra": extra} for extra in extras or {""}]
            chosen = requirement.marker is None or any(requirement.marker.evaluate(marker) for marker in markers)
            if chosen and requirement.name.lower() not in seen:
                wanted.append((requirement.name.lower(), frozenset(requirement.extras)))
    assert not seen & {"numpy", "numba", "psycopg", "scikit-learn", "fastapi", "pyarrow"}
    assert "asyncua" in seen
