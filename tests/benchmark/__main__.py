"""`python -m tests.benchmark [name …]`: run the measurements of the spine, each `bench_<name>.py` with its `measure()`."""

import importlib
import sys
import time
from pathlib import Path

from tests.benchmark.record import Result, write


def main(names: list[str]) -> int:
    """Run them all, or the named ones; the exit status says whether every goal is met."""
    known = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))
    if unknown := set(names) - set(known):
        print(f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
        return 2
    results: list[Result] = []
    for name in names or known:
        print(f"{name} …", end=" ", flush=True)
        started = time.monotonic()
        measured: list[Result] = importlib.import_module(f"tests.benchmark.bench_{name}").measure()
        write("spine", measured)
        results += measured
        print(f"{time.monotonic() - started:.0f} s")
        for result in measured:
            ratio = "" if result.ratio is None else f", {result.ratio:.2f} × {result.peer}"
            print(
                f"  {'met ' if result.met else 'MISS'} {result.what}: {result.value:,.4g} {result.unit} (goal {result.goal}{ratio})"
            )
    return 0 if all(result.met for result in results) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
