"""`python -m tests.benchmark [name …]`: speed and memory, each `bench_<name>.py` with its `measure()`.

`python -m tests.benchmark --data FOLDER [name …]`: quality on recordings, each `quality_<name>.py` with its `measure(folder)`.
A module's `SUITE` names the file of its figures, benchmarks/<suite>.json.
"""

import argparse
import importlib
import time
from collections.abc import Iterable
from pathlib import Path

from tests.benchmark.record import Result, write


def main() -> int:
    """Run them all, or the named ones; the exit status says whether every goal is met."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmark", description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--data", metavar="FOLDER", help="recordings with labels; measures quality instead of speed")
    asked = parser.parse_args()
    if asked.data is not None and not Path(asked.data, "README.md").is_file():
        parser.error(f"no recordings in {asked.data!r}: give their folder, e.g. make bench-quality DATA=../recordings")
    kind = "bench" if asked.data is None else "quality"
    known = sorted(path.stem.removeprefix(f"{kind}_") for path in Path(__file__).parent.glob(f"{kind}_*.py"))
    if unknown := set(asked.names) - set(known):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
    results: list[Result] = []
    for name in asked.names or known:
        print(f"{name} …", end=" ", flush=True)
        started = time.monotonic()
        module = importlib.import_module(f"tests.benchmark.{kind}_{name}")
        measured: Iterable[Result] = module.measure() if asked.data is None else module.measure(Path(asked.data))
        suite = getattr(module, "SUITE", "spine" if asked.data is None else "quality")
        for result in measured:  # written as it comes: what is measured is kept, whatever becomes of the rest
            write(suite, [result])
            results.append(result)
            ratio = "" if result.ratio is None else f", {result.ratio:.2f} × {result.peer}"
            print(
                f"\n  {'met ' if result.met else 'MISS'} {result.what}: {result.value:,.4g} {result.unit} (goal {result.goal}{ratio})",
                end="", flush=True,
            )  # fmt: skip
        print(f"\n  {time.monotonic() - started:.0f} s")
    return 0 if all(result.met for result in results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
