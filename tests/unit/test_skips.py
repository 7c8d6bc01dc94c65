"""The rule of tests/conftest.py: in CI a test may be skipped for a known reason only."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.skips import ALLOWED_SKIPS

CHECKOUT = Path(__file__).resolve().parents[2]


def run(folder, reason, *, ci, marker="pytest.skip"):
    (folder / "test_it.py").write_text(f"import pytest\n\ndef test_it():\n    {marker}({reason!r})\n")
    (folder / "pytest.ini").write_text("[pytest]\n")
    environment = {
        **os.environ,
        "CI": "true" if ci else "",
        "PYTHONPATH": str(CHECKOUT),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "-q"]
    return subprocess.run(
        [*command, str(folder)], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("ci", [True, False])
def test_an_unknown_reason_fails_in_ci_only_and_is_always_told(tmp_path, ci):
    done = run(tmp_path, "no time today", ci=ci)
    assert (done.returncode != 0) == ci
    assert "SKIPPED WITHOUT LEAVE" in done.stdout
    assert "no time today" in done.stdout


def test_a_known_reason_passes_in_ci_and_is_told(tmp_path):
    name, reason = next(iter(ALLOWED_SKIPS.items()))
    done = run(tmp_path, reason, ci=True)
    assert done.returncode == 0, done.stdout
    assert f"NOT TESTED ({name}): {reason} [1 tests]" in done.stdout


def test_an_expected_failure_is_no_skip(tmp_path):
    done = run(tmp_path, "known bug", ci=True, marker="pytest.xfail")
    assert done.returncode == 0, done.stdout
    assert "WITHOUT LEAVE" not in done.stdout
