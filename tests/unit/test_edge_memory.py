"""What start-up left behind is given back before the agent reads."""

import subprocess
import sys
from pathlib import Path

_PROGRAM = """
import gc, resource
import edge.sources.opcua
from edge.memory import settle

def resident_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

before = resident_bytes()
settle()
print(before - resident_bytes(), gc.get_freeze_count(), gc.get_threshold()[0])
"""


def test_the_memory_that_importing_took_is_given_back_and_the_collector_leaves_it_alone(tmp_path: Path) -> None:
    """Compiled at import, as on a first start or in a folder that cannot be written: that leaves most behind."""
    compiling = ["-B", "-X", f"pycache_prefix={tmp_path}"]
    done = subprocess.run([sys.executable, *compiling, "-c", _PROGRAM], capture_output=True, text=True, check=True)
    freed_bytes, frozen, threshold = map(int, done.stdout.split())
    assert freed_bytes > 10_000_000
    assert frozen > 10_000  # nothing is frozen unless we do it
    assert threshold > 10_000
