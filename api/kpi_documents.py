"""The shapes of key figures, bottlenecks, lineages and reclassified intervals, for the OpenAPI document."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.documents import AssetPath, Document, GivenInstant, Instant
from twin.plant.elements import StopReason
from twin.throughput.kpis import NAMES


class KpiRowModel(Document):
    """One asset, one period."""

    asset: AssetPath
    start: Instant
    end: Instant
    label: str = Field(description="The shift's name or the order", examples=["early"])
    figures: dict[str, float | None] = Field(
        description=f"Ratios as shares, `_s` seconds, `_per_h` per hour, null where not defined: {', '.join(NAMES)}",
        examples=[{"availability": 0.83, "oee": 0.61}],
    )
    turn_median_s: float | None
    turn_p90_s: float | None
    seconds: dict[str, float] = Field(
        description="Per time element; together calendar time", examples=[{"production": 3000.0}]
    )
    losses_s: dict[str, float] = Field(description="Where planned busy time went")
    quantities: dict[str, float] = Field(description="Of the last units of its flow", examples=[{"good": 120.0}])
    estimated: float = Field(description="Parts of it that were counted across gaps: their time is an estimate")
    remarks: list[str] = Field(description="Which inputs are wrong", examples=[[]])


class KpisModel(Document):
    """Rows by asset, then period."""

    under: AssetPath
    by: str = Field(examples=["shift"])
    start: Instant
    end: Instant
    rows: list[KpiRowModel]


class ShareModel(Document):
    """One machine's part of the window."""

    asset: AssetPath
    sole: float = Field(description="Share of the window in which it alone was the bottleneck")
    shifting: float = Field(description="Share in which the bottleneck was moving to or from it")
    starved: float
    blocked: float


class ArrowModel(Document):
    """A link of the flow, and on which side of it the bottleneck lies."""

    source: AssetPath
    target: AssetPath
    points_to: AssetPath


class MomentaryModel(Document):
    """A machine was the bottleneck from start to end; neighbours may overlap."""

    asset: AssetPath
    start: Instant
    end: Instant


class GainModel(Document):
    """What the site gains per hour when one resource alone works ten per cent faster, with the 95 % interval."""

    asset: str = Field(description="A unit, or the area of a pool of carriers")
    gain_per_h: float
    low: float
    high: float


class ConfirmationModel(Document):
    """What the simulator says from the live state on."""

    simulated_h: float
    replications: int
    bottleneck: str | None = Field(description="The greatest certain gain; null when none is certain")
    sensitivity: list[GainModel]
    detail: str = Field(description="Why nothing was simulated")


class BottlenecksModel(Document):
    """Active-period method of Roser et al.; machines in the order of the plant."""

    under: AssetPath
    start: Instant
    end: Instant
    now: str | None = Field(description="The last one, null when nothing was active")
    shares: list[ShareModel]
    arrows: list[ArrowModel]
    chain: list[MomentaryModel] = Field(description="At most the last 500")
    confirmation: ConfirmationModel | None = Field(description="Null unless asked for with confirm=true")


class IntervalModel(Document):
    """One interval of a unit; together they are calendar time."""

    start: Instant
    end: Instant
    element: str = Field(examples=["production"])
    state: str | None = Field(description="The machine's own state; null when unknown", examples=["running"])
    reason: str | None
    plan: Literal["busy", "stop", "none"]


class IncrementModel(Document):
    """Parts that were made in (since, at]."""

    quantity: str = Field(examples=["good"])
    since: Instant
    at: Instant
    parts: int
    estimated: bool


class ReclassificationModel(Document):
    """What a person has said; never changed, the later one stands above the earlier one."""

    id: int
    asset: AssetPath
    start: Instant
    end: Instant
    was: dict[str, float] = Field(description="Seconds per element before")
    reason: str
    operator: str
    comment: str
    at: Instant


class LineageModel(Document):
    """What the key figures of a unit are made of."""

    asset: AssetPath
    start: Instant
    end: Instant
    signals: dict[str, str] = Field(description="Role → path of the signal whose samples were used")
    samples: dict[str, int] = Field(description="Role → samples in the window")
    intervals: list[IntervalModel]
    increments: list[IncrementModel]
    orders: list[dict[str, str]]
    reclassified: list[ReclassificationModel]


class Reclassify(BaseModel):
    """What an interval was in truth."""

    model_config = ConfigDict(extra="forbid")

    start: GivenInstant
    end: GivenInstant
    reason: StopReason
    comment: Annotated[str, Field(max_length=1_000, description="Why", examples=["Planned filter change"])] = ""

    @property
    def span(self) -> tuple[datetime, datetime]:
        """Start and end."""
        return self.start, self.end
