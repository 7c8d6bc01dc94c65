"""Rate limits: the generic cell rate algorithm, one number per caller, bounded memory.

No clock: the time is a parameter. Per process: behind a load balancer everybody has as many times the rate as there are
processes.
"""

from collections import OrderedDict

MOST_CALLERS = 10_000


class Limiter:
    """At most `burst` at once and `per_s` in the long run, for each caller."""

    def __init__(self, per_s: float, burst: int) -> None:
        self._step_s: float = 1 / per_s
        self._slack_s: float = burst / per_s
        self._due: OrderedDict[str, float] = OrderedDict()  # when the caller's bucket is full again

    def wait_s(self, caller: str, now_s: float, cost: int = 1) -> float:
        """0 when it may be now, and then it is counted; else how long to wait."""
        due = max(self._due.get(caller, now_s), now_s)
        wait_s = due + cost * self._step_s - self._slack_s - now_s
        if wait_s > 1e-9:
            return wait_s
        self._due[caller] = due + cost * self._step_s
        self._due.move_to_end(caller)
        if len(self._due) > MOST_CALLERS:
            self._due.popitem(last=False)
        return 0.0
