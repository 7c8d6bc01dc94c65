"""`twin prepare` makes what the first start would have to wait for."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(600)
def test_every_part_is_made_and_said() -> None:
    words = [sys.executable, "-m", "twin.commands.cli", "prepare"]
    told = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line.split(":")[0] for line in told] == ["live models", "simulator"]
