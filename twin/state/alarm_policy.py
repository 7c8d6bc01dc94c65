"""`alarms:` of twin.yaml: which findings, risks and gateway reports become alarms, and how they ask for attention."""

from typing import Annotated

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from twin.plant.alarm import Priority
from twin.settings import Settings

Share = Annotated[float, Field(gt=0, le=1)]


class AnomalyPolicy(Settings):
    """Episodes of detectors. A detector that `priorities` does not name has `priority`; null raises no alarm."""

    priority: Priority | None = Priority.LOW
    priorities: dict[str, Priority | None] = Field(default_factory=dict[str, Priority | None])
    on_delay_s: NonNegativeFloat = 10.0
    off_delay_s: NonNegativeFloat = 60.0

    def priority_of(self, detector: str) -> Priority | None:
        """The priority of this detector's alarms, None when it raises none."""
        return self.priorities.get(detector, self.priority)


class RiskPolicy(Settings):
    """Probabilities of a fault. Each horizon may have a threshold of its own; null raises no alarm."""

    threshold: Share | None = 0.5
    thresholds: dict[str, Share | None] = Field(default_factory=dict[str, Share | None])
    deadband: Annotated[float, Field(ge=0, lt=1)] = 0.1  # below the threshold by so much, and the alarm clears
    priority: Priority = Priority.HIGH
    calibrated_only: bool = True  # a prior that was never measured against failures wakes nobody

    def threshold_of(self, horizon: str) -> float | None:
        """The threshold of this horizon, None when it raises no alarm."""
        return self.thresholds.get(horizon, self.threshold)


class GatewayPolicy(Settings):
    """What gateways report of themselves."""

    offline: Priority | None = Priority.HIGH
    certificate: Priority | None = Priority.MEDIUM
    problem: Priority | None = Priority.MEDIUM
    on_delay_s: NonNegativeFloat = 15.0
    off_delay_s: NonNegativeFloat = 15.0

    def priority_of(self, name: str) -> Priority | None:
        """The priority of offline, certificate or problem; None when it raises no alarm."""
        return {"offline": self.offline, "certificate": self.certificate}.get(name, self.problem)


class FloodPolicy(Settings):
    """A flood: more than `raised` alarms of one scope within the window, until fewer than `ended` are left."""

    raised: PositiveInt = 10
    ended: PositiveInt = 5
    window_s: PositiveFloat = 600.0
    priority: Priority = Priority.HIGH


class AlarmPolicy(Settings):
    """The whole section; everything has a default."""

    anomalies: AnomalyPolicy = AnomalyPolicy()
    risk: RiskPolicy = RiskPolicy()
    gateways: GatewayPolicy = GatewayPolicy()
    floods: FloodPolicy = FloodPolicy()
