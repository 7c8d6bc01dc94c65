"""What the configuration says of a recording that is read like a device. In: YAML. Out: a frozen `ReplaySettings`."""

import math
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from edge.mapping_parts import Kind, Mapped
from edge.timestamps import TimeFormat, check_format, zone_named
from twin.settings import Settings

_RECORDED_NOTHING = ("UNAVAILABLE", "NaN", "nan", "NULL", "null")


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _zone(text: str) -> str:
    zone_named(text)
    return text


Texts = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]


class RecordedSignal(Settings):
    """One signal and how the recording calls and writes it."""

    kind: Kind = "measurement"
    unit: str = ""
    called: str | None = None  # the column or, in the long form, the word in signal_column; default: the signal's name
    words: dict[str, float] = Field(default_factory=dict[str, float])  # what a text means as a number
    scale: float = 1.0  # value in our unit = scale × recorded + offset
    offset: float = 0.0
    source_unit: str | None = None  # of the recorded values, converted to ours

    @cached_property
    def mapped(self) -> Mapped:
        """The same in the language of the mappings, which converts the values."""
        return Mapped(
            kind=self.kind,
            unit=self.unit,
            words=self.words,
            scale=self.scale,
            offset=self.offset,
            source_unit=self.source_unit,
        )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _ = self.mapped
        return self


class LongForm(Settings):
    """A recording with one value per row: which signal it is of, and what it is."""

    signal_column: str = "signal"
    value_column: str = "value"


class ReplaySettings(Settings):
    """Files with recorded values, and the signals that they feed."""

    kind: Literal["replay"]
    name: Annotated[str, Field(pattern=r"[a-z0-9][a-z0-9-]{0,62}")]
    files: Texts  # paths or patterns like recordings/*.csv.gz; of a pattern in the order of their names
    separator: Annotated[str, Field(min_length=1, max_length=1)] = ","
    decimal: Literal[".", ","] = "."
    encoding: Literal["utf-8", "cp1252", "latin-1"] = "utf-8"
    skip_lines: Annotated[int, Field(ge=0, le=1000)] = 0  # before the header
    columns: Annotated[tuple[str, ...], Field(min_length=1)] | None = None  # of files without a header
    time_column: Texts  # several (a date and a time of the day) are joined with a space
    time_format: Annotated[TimeFormat, AfterValidator(check_format)] = "iso"
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"  # of times that have none
    long: LongForm | None = None  # default: one column per signal
    unavailable: tuple[str, ...] = _RECORDED_NOTHING  # texts that stand for a missing value: a bad reading
    time: Literal["original", "shifted"] = "original"  # shifted: the first row is now, the rest at its distance
    speed: Annotated[float, Field(gt=0, le=1e6)] = 1.0  # of shifted times
    repeat: bool = False
    asset: str = ""  # before the names under signals; empty: they are whole paths
    signals: Annotated[dict[str, RecordedSignal], Field(min_length=1)]
    dead_letters: Path | None = None  # default: <name>.dead-letters.jsonl beside the spool
    dead_letters_max_bytes: Annotated[int, Field(ge=10_000)] = 10_000_000

    def feeds(self) -> Iterator[tuple[str, str]]:
        """Every signal: (path, name under `signals`)."""
        for name in self.signals:
            yield (f"{self.asset}/{name}" if self.asset else name), name

    @model_validator(mode="after")
    def _plays_only_what_is_shifted(self) -> Self:
        if self.time == "original" and (self.repeat or not math.isclose(self.speed, 1.0)):
            raise ValueError("speed and repeat are for time: shifted; original times are read once, as fast as it goes")
        return self

    @model_validator(mode="after")
    def _each_is_called_differently(self) -> Self:
        seen: dict[str, str] = {}
        for name, signal in self.signals.items():
            called = signal.called or name
            if called in seen and self.long:
                raise ValueError(f"{seen[called]} and {name} are both called {called!r}; give one of them another word")
            seen[called] = name
        return self
