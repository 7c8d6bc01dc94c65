"""What takes the samples in starts quickly: a standby must take over within seconds. Fitting belongs to `twin learn`."""

import json
import subprocess
import sys

HEAVY = ("sklearn", "scipy.stats", "pandas", "pyarrow", "statsforecast")


def test_the_hot_path_imports_nothing_that_only_fitting_needs() -> None:
    code = "import sys, json, twin.commands.run; print(json.dumps(list(sys.modules)))"
    loaded = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    assert "twin.monitor.run" in loaded
    assert not [name for name in HEAVY if name in loaded]
