"""Hop *thin*: what the configuration says of one signal. In: YAML. Out: settings, and the band they stand for."""

from typing import Annotated, Literal

from pydantic import Field

from edge.deadband import Deadband
from edge.swinging_door import SwingingDoor
from twin.settings import Settings


class Thin(Settings):
    """How readings are left out at the edge."""

    method: Literal["swinging-door", "deadband"]
    error: Annotated[float, Field(gt=0, allow_inf_nan=False)]  # absolute, in the signal's unit
    max_interval_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 60.0  # pass one value on at least so often

    @property
    def band(self) -> Deadband | SwingingDoor:
        """The same for the thinner."""
        made = SwingingDoor if self.method == "swinging-door" else Deadband
        return made(self.error, self.max_interval_s)

    def refuse(self, kind: str) -> None:
        """Check that a signal of this kind can be thinned so.

        Raises:
            ValueError: when it cannot.
        """
        if kind == "text":
            raise ValueError("a text is not thinned; remove thin")
        if kind == "state" and self.method == "swinging-door":
            raise ValueError("a state has no line between two values; use thin: {method: deadband, …} or remove thin")
