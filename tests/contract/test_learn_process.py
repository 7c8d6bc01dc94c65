"""`twin learn` as a user starts it, on a real database."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.conftest import Database

ROOT = Path(__file__).resolve().parents[2]


def twin_learn(dsn: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "FABRIQUAY_DSN": dsn, "FABRIQUAY_BROKER_PASSWORD": "none"}
    command = [sys.executable, "-m", "twin.commands.cli", "learn", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=ROOT, timeout=280)


@pytest.mark.timeout(600)
def test_one_turn_of_each_job_is_taken_and_shown_and_stays_in_the_journal(database: Database) -> None:
    once = twin_learn(database.dsn, "--once")
    assert once.returncode == 0, once.stderr
    shown = once.stdout.splitlines()
    assert shown[0].startswith("job")
    assert any(line.startswith("models-trim") and " done " in line for line in shown)
    told = twin_learn(database.dsn, "--status").stdout.splitlines()  # by name; a turn's order is its own
    assert (told[0], told[1:]) == (shown[0], sorted(shown[1:]))
    unknown = twin_learn(database.dsn, "--once", "--job", "nothing")
    assert unknown.returncode == 2
    assert "no job nothing; there are: " in unknown.stderr
