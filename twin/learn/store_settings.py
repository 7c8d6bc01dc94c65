"""`store:` of twin.yaml: how long what is kept."""

from collections.abc import Mapping
from typing import Self

from pydantic import PositiveInt, model_validator

from twin.plant.tree import Kind
from twin.settings import Settings

_YEAR, _THREE_YEARS = 366, 1_096


class SampleDays(Settings):
    """Days that samples are kept, by the kind of their signal; null: for ever."""

    measurement: PositiveInt | None = _YEAR
    counter: PositiveInt | None = _THREE_YEARS
    state: PositiveInt | None = _THREE_YEARS
    text: PositiveInt | None = _THREE_YEARS


class Retention(Settings):
    """Days; hours and days of roll-ups are kept for ever."""

    samples: SampleDays = SampleDays()
    minutes: PositiveInt | None = _THREE_YEARS

    @property
    def by_kind(self) -> Mapping[Kind, int | None]:
        """Days of samples."""
        return {kind: getattr(self.samples, kind.value) for kind in Kind}

    @model_validator(mode="after")
    def _minutes_outlive_samples(self) -> Self:
        longest = [days for kind, days in self.by_kind.items() if kind is not Kind.TEXT]
        if self.minutes is not None and (None in longest or self.minutes < max(days for days in longest if days)):
            raise ValueError("minutes must be kept at least as long as the samples that they are made of")
        return self


class StoreSettings(Settings):
    """The store."""

    retention: Retention = Retention()
