"""S7: ten thousand futures of a line of twenty machines over a week, in CPU time of all threads together."""

import time

from tests.benchmark.record import Result
from twin.whatif.model import Failure, exponential, lognormal, serial_line
from twin.whatif.simulate import Plan, simulate

SUITE = "whatif"


def measure() -> list[Result]:
    """Cycles of 30 s, a failure every 8 h of work, hourly counts."""
    broken = Failure(exponential(28_800), exponential(600))
    line = serial_line((lognormal(30, 0.2),) * 20, (10,) * 19, (broken,) * 20)
    simulate(line, Plan(3_600, 16))
    started_s = time.process_time()
    simulate(line, Plan(604_800, 10_000, buckets=168))
    seconds = time.process_time() - started_s
    what = "10,000 futures of 20 machines (30 s cycles) over a week, CPU time of all threads"
    return [Result("S7-week", what, seconds, "s", "≤ 60 s", seconds <= 60)]
