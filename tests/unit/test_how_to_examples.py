"""What the how-to pages tell people to write can be read by the program."""

import json
import re
import textwrap
from pathlib import Path

from typer.testing import CliRunner

from twin.commands.cli import app
from twin.plant.load import load_plant

HOW_TO = Path(__file__).resolve().parents[2] / "docs" / "how-to"


def example(page: str) -> str:
    """The first YAML block of a page."""
    found = re.search(r"^( *)```yaml\n(.*?)^\1```", (HOW_TO / page).read_text(), re.DOTALL | re.MULTILINE)
    assert found
    return textwrap.dedent(found[2])


def test_the_smallest_plant_file_is_one(tmp_path: Path) -> None:
    (tmp_path / "plant.yaml").write_text(example("write-a-plant-file.md"))
    plant = load_plant(tmp_path / "plant.yaml")
    assert plant.asset("plant-1/pressing/press-3").title == "Press 3"
    assert len(plant.signals) == 9


def test_the_described_device_gives_its_values(tmp_path: Path) -> None:
    agent = "node: gate\nbroker: { host: twin }\nspool: { path: spool.db }\n" + example("connect-an-mqtt-device.md")
    (tmp_path / "edge.yaml").write_text(agent.replace("file:/run/secrets/halls", "secret"))
    (tmp_path / "message.json").write_text(json.dumps({"t": 21.5, "rh": 40, "ts": "2026-11-27T08:00:00Z"}))
    words = ["edge", "map", str(tmp_path / "edge.yaml"), "--topic", "hall/1/climate"]
    told = CliRunner().invoke(app, [*words, "--payload", str(tmp_path / "message.json")])
    assert told.exit_code == 0, told.output
    assert "factory/machining/climate/temperature" in told.output
    assert "21.5" in told.output
