"""One measured figure, and the files that the figures are written to: benchmarks/*.json and docs/benchmarks.md."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Result:
    """`met` compares with the goal; `ratio` is ours against `peer`, both measured in the same run."""

    id: str
    what: str
    value: float
    unit: str
    goal: str
    met: bool
    peer: str = ""
    ratio: float | None = None


def machine() -> str:
    """The processor and the number of cores; without a name every figure is worthless."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"


def write(suite: str, results: Sequence[Result]) -> None:
    """Merge `results` into benchmarks/<suite>.json by id and make docs/benchmarks.md anew from all suites."""
    path = ROOT / "benchmarks" / f"{suite}.json"
    path.parent.mkdir(exist_ok=True)
    known = {row["id"]: row for row in json.loads(path.read_text())} if path.exists() else {}
    known |= {result.id: {**asdict(result), "machine": machine()} for result in results}
    path.write_text(json.dumps([known[key] for key in sorted(known)], indent=2, ensure_ascii=False) + "\n")
    _page()


def _page() -> None:
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`; do not edit. Ratios are against the named peer in the same run on the same machine.",
    ]
    for path in sorted((ROOT / "benchmarks").glob("*.json")):
        rows = json.loads(path.read_text())
        lines += ["", f"## {path.stem}", "", f"Machine: {', '.join(sorted({row['machine'] for row in rows}))}.", ""]
        lines += ["| id | what | value | goal | met | peer | ratio |", "|---|---|---|---|---|---|---|"]
        for row in rows:
            ratio = "" if row["ratio"] is None else f"{row['ratio']:,.2f}"
            met = "yes" if row["met"] else "**no**"
            lines.append(
                f"| {row['id']} | {row['what']} | {row['value']:,.4g} {row['unit']} | {row['goal']} | {met} | {row['peer']} | {ratio} |"
            )
    (ROOT / "docs" / "benchmarks.md").write_text("\n".join(lines) + "\n")
