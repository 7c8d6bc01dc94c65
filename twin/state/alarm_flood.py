"""Too many alarms at once: when a flood of one scope begins and ends (ISA-18.2 section 16; EEMUA 191). Pure."""

from dataclasses import dataclass, field

from twin.state.alarm_policy import FloodPolicy


@dataclass(slots=True)
class Flood:
    """When alarms of one scope were raised lately, and whether that is a flood."""

    active: bool = False
    raised_ns: list[int] = field(default_factory=list[int])  # within the window, oldest first

    def note(self, at_ns: int, policy: FloodPolicy) -> bool:
        """Another alarm; whether a flood begins with it."""
        self.raised_ns = sorted([*self.raised_ns, at_ns])
        self._forget(self.raised_ns[-1], policy)
        begins = not self.active and len(self.raised_ns) > policy.raised
        self.active = self.active or begins
        return begins

    def over_ns(self, policy: FloodPolicy) -> int | None:
        """When fewer than `ended` are left in the window if nothing more comes; None when there is no flood."""
        if not self.active:
            return None
        if len(self.raised_ns) < policy.ended:
            return self.raised_ns[-1] if self.raised_ns else 0
        return self.raised_ns[-policy.ended] + round(policy.window_s * 1e9)

    def end(self, at_ns: int, policy: FloodPolicy) -> None:
        """The flood is over."""
        self.active = False
        self._forget(at_ns, policy)

    def _forget(self, now_ns: int, policy: FloodPolicy) -> None:
        oldest_ns = now_ns - round(policy.window_s * 1e9)
        self.raised_ns = [at_ns for at_ns in self.raised_ns if at_ns > oldest_ns]
