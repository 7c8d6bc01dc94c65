"""`store:` of twin.yaml: how long what is kept."""

from collections.abc import Mapping
from typing import Self

from pydantic import PositiveInt, model_validator

from twin.plant.tree import Kind
from twin.settings import Settings


class SampleDays(Settings):
    """Days that samples are kept, by the kind of their signal; null, the default: for ever."""

    measurement: PositiveInt | None = None
    counter: PositiveInt | None = None
    state: PositiveInt | None = None
    text: PositiveInt | None = None


class Retention(Settings):
    """Days; nothing is dropped unless this says so; hours and days of roll-ups are kept for ever."""

    samples: SampleDays = SampleDays()
    minutes: PositiveInt | None = None  # of roll-ups

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
