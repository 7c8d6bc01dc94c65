"""`notify:` of twin.yaml: whom to tell of which alarms, in which shifts, and whom when nobody reacts."""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, NonNegativeFloat, PositiveInt, model_validator

from twin.plant.alarm import Priority
from twin.settings import Secret, Settings

TargetName = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]


class Route(Settings):
    """Alarms that fit go to every target of `to`."""

    to: list[TargetName] = Field(min_length=1)
    priority: Priority = Priority.HIGH  # and above
    under: list[str] = Field(default_factory=list[str])  # assets, signals or gateways/<node>; empty: everything
    shifts: list[str] = Field(default_factory=list[str])  # of the calendar there; empty: at any time
    after_min: NonNegativeFloat = 0.0  # escalation: only when nobody has acknowledged for so long


class NotifySettings(Settings):
    """The whole section; without targets nobody is told."""

    targets: Mapping[TargetName, Secret] = Field(default_factory=dict[str, str])  # Apprise addresses
    routes: list[Route] = Field(default_factory=list[Route])
    most_per_hour: PositiveInt = 20  # messages to one target; what is beyond is kept on the page only
    page: str | None = None  # address of the page, for a link in the message

    @model_validator(mode="after")
    def _targets_exist(self) -> Self:
        missing = sorted({name for route in self.routes for name in route.to} - set(self.targets))
        if missing:
            raise ValueError(f"there is no target {', '.join(missing)}; add it under targets: or correct the route")
        return self
