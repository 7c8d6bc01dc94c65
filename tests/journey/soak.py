"""`make soak HOURS=24`: the demo for hours under random kills, cuts and late data; store against truth log all the while.

In: hours, a seed. Out: a report in Markdown, and status 1 when a sample is neither stored nor in the gap ledger, was
changed, invented, or when a process is left over at the end.
"""

import argparse
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psutil

from tests.benchmark.record import machine
from tests.journey.blows import PARTS, blows, run_for, settle, wait_for_every_signal
from tests.journey.demo_process import Demo
from tests.journey.ledger import Verdict
from tests.servers import open_folder

CALM_S = (10.0, 90.0)  # between two blows
OUTAGE_S = (60.0, 240.0)  # what comes behind it is late, and goes through the history lane
CHECK_S = 600.0
PATIENCE_S = 300.0  # for a backlog to drain before a check
_MB = 1e6


@dataclass
class Report:
    """What the hours came to."""

    rate: float
    seed: int
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    hours: float = 0.0
    blows: Counter[str] = field(default_factory=Counter[str])
    checks: int = 0
    total: Verdict = field(default_factory=Verdict)
    memory: dict[str, list[float]] = field(default_factory=dict[str, list[float]])  # part → MB at each check
    disk: list[float] = field(default_factory=list[float])  # MB of the database
    left: list[str] = field(default_factory=list[str])  # processes after the end

    def add(self, verdict: Verdict) -> None:
        """One window more."""
        self.checks += 1
        for name in ("emitted", "stored", "in_gaps"):
            setattr(self.total, name, getattr(self.total, name) + getattr(verdict, name))
        for name in ("lost", "changed", "invented"):
            getattr(self.total, name).extend(getattr(verdict, name))

    @property
    def is_clean(self) -> bool:
        """Nothing lost, changed, invented or left over."""
        return not (self.total.lost or self.total.changed or self.total.invented or self.left)

    def text(self) -> str:
        """Markdown."""
        total = self.total
        blown = "\n".join(f"| {name} | {count} |" for name, count in sorted(self.blows.items()))
        held = "\n".join(
            f"| {part} | {found[0]:.0f} | {found[len(found) // 2]:.0f} | {found[-1]:.0f} | {max(found):.0f} |"
            for part, found in self.memory.items()
            if found
        )
        return f"""# The last soak

Written by `make soak HOURS=…`; do not edit. {self.hours:.1f} hours from {self.began:%Y-%m-%d %H:%M} UTC on, seed {self.seed}, on {machine()}.
The demo on Mosquitto at {self.rate:,.0f} samples/s, every part a process of its own.

| samples emitted | stored | in the gap ledger | in neither | changed | invented | checks | processes left over |
|---|---|---|---|---|---|---|---|
| {total.emitted:,} | {total.stored:,} | {total.in_gaps:,} | {len(total.lost):,} | {len(total.changed):,} | {len(total.invented):,} | {self.checks} | {len(self.left)} |

| blow | times |
|---|---|
{blown}

Killed parts begin anew, so that their memory does, too. The database's files: {self.disk[0]:,.0f} MB at the first check, {self.disk[-1]:,.0f} MB at the last one.

| part | MB at the first check | in the middle | at the last | most |
|---|---|---|---|---|
{held}
"""


def _megabytes(demo: Demo, part: str) -> float:
    """Resident, with the children (PostgreSQL's share their buffers: those are counted once, in the parent)."""
    process = demo.process(part)
    memory = process.memory_info().rss
    for child in process.children(recursive=True):
        held = child.memory_info()
        memory += held.rss - getattr(held, "shared", 0)
    return memory / _MB


def _check(demo: Demo, report: Report, since_us: int) -> int:
    """Compare what came since the last check; returns until when that is done."""
    until_us = time.time_ns() // 1_000
    verdict = settle(demo, until_us, PATIENCE_S, since_us)
    report.add(verdict)
    for part in (*PARTS, "api"):
        try:
            report.memory.setdefault(part, []).append(_megabytes(demo, part))
        except (LookupError, StopIteration, OSError, psutil.Error):  # it is just being started again
            continue
    files = (path.stat() for path in (demo.folder / "data" / "database").resolve().rglob("*") if path.is_file())
    report.disk.append(sum(file.st_size for file in files) / _MB)
    report.hours = (datetime.now(UTC) - report.began).total_seconds() / 3600
    print(
        f"{datetime.now(UTC):%H:%M:%S}  {report.hours:6.2f} h  {sum(report.blows.values()):5} blows  {verdict}",
        flush=True,
    )
    return until_us


def soak(demo: Demo, report: Report, hours: float) -> None:
    """Until the time is over; the last check stands behind the last blow."""
    dice = random.Random(report.seed)
    every = blows(demo, dice)

    def outage() -> None:
        with demo.network.cut():
            run_for(dice.uniform(*OUTAGE_S), demo)

    every["outage of minutes"] = outage
    end_s = time.monotonic() + hours * 3600
    since_us, check_s = 0, time.monotonic() + min(CHECK_S, hours * 1800)
    while (now_s := time.monotonic()) < end_s:
        run_for(dice.uniform(*CALM_S), demo)
        name = dice.choice(list(every))
        every[name]()
        report.blows[name] += 1
        if now_s >= check_s:
            run_for(10, demo)
            since_us = _check(demo, report, since_us)
            check_s = time.monotonic() + CHECK_S
    run_for(10, demo)
    _check(demo, report, since_us)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.journey.soak", description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--rate", type=float, default=1_000.0, help="samples per second of the whole plant")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", type=Path, default=Path("docs/reference/soak-report.md"))
    given = parser.parse_args()
    report = Report(given.rate, given.seed)
    with open_folder("soak") as folder, Demo(folder, rate=given.rate, broker="mosquitto") as demo:
        wait_for_every_signal(demo)
        try:
            soak(demo, report, given.hours)
        finally:
            demo.stop()
            report.left = demo.left
            if report.checks:
                given.report.write_text(report.text())
                print(f"the report is in {given.report}")
    return 0 if report.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
