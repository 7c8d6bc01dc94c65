"""The shapes of the answers, for the OpenAPI document and the readers of this code; hot routes send ready bytes."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

AssetPath = Annotated[str, Field(description="Area-first path of the asset", examples=["factory/machining/mill-1"])]
Instant = Annotated[AwareDatetime, Field(description="RFC 3339, UTC", examples=["2026-03-02T10:15:00.250Z"])]


def _text(value: object) -> object:
    if isinstance(value, int | float):
        raise ValueError("write an RFC 3339 time with a zone, e.g. 2026-03-02T10:15:00Z")
    return value


GivenInstant = Annotated[AwareDatetime, BeforeValidator(_text)]
"""An instant in a request: a number, which might be seconds or milliseconds, is refused."""


class Document(BaseModel):
    """Later versions may add fields; readers ignore what they do not know."""

    model_config = ConfigDict(extra="allow")


class StateName(Document):
    """What a state code means."""

    name: str = Field(examples=["running"])
    category: str = Field(description="OPC 40001-1 MachineryItemState, empty for other states", examples=["Executing"])


class SignalModel(Document):
    """One series of values of an asset."""

    path: str = Field(examples=["factory/machining/mill-1/spindle-current"])
    name: str = Field(examples=["spindle-current"])
    title: str = Field(examples=["Spindle current"])
    kind: Literal["measurement", "counter", "state", "text"]
    unit: str = Field(description="Empty when there is none", examples=["A"])
    low: float | None = Field(description="The least value of the range, in `unit`", examples=[0.0])
    high: float | None = Field(description="The greatest value of the range, in `unit`", examples=[32.0])
    role: str | None = Field(description="What it means to the twin", examples=["machine-state"])
    period_s: float = Field(description="Nominal sampling period, seconds", examples=[0.1])
    stale_after_s: float = Field(description="Older than this a value counts as old, seconds", examples=[0.5])
    states: dict[str, StateName] = Field(description="By code, for signals of kind state")


class AssetModel(Document):
    """A site, area, line or unit (ISA-95)."""

    path: AssetPath
    name: str = Field(examples=["mill-1"])
    title: str = Field(examples=["Mill 1"])
    level: Literal["site", "area", "line", "unit"]
    type: str = Field(examples=["mill"])
    parent: str | None = Field(examples=["factory/machining"])
    capacity: int | None = Field(description="Things that fit, of a buffer", examples=[12])
    duty: Literal["machine", "quay-crane", "carrier", "yard-crane", "gate-in", "gate-out"] | None = Field(
        description="What it does in the flow; null where the plant file does not say how it works"
    )
    servers: int | None = Field(description="Equal places that work at a time", examples=[1])
    plan_per_h: float | None = Field(
        description="Things per hour when its site makes the most that its slowest unit allows", examples=[143.2]
    )
    calendar: str = Field(examples=["three-shift"])
    signals: list[SignalModel]


class LinkModel(Document):
    """What `source` finishes goes to `target`."""

    source: AssetPath
    target: AssetPath
    buffer: str | None = Field(description="Path of the buffer in between", examples=["factory/machining/buffer-1"])


class CalendarModel(Document):
    """When is worked."""

    shifts: list[str] = Field(description="Names", examples=[["early", "late", "night"]])
    stops: list[str] = Field(description="Titles of planned stops", examples=[["weekly cleaning"]])


class PlantModel(Document):
    """What exists; parents before children."""

    enterprise: str
    title: str
    revision: str = Field(description="Hash of the plant model; changes with its content")
    assets: list[AssetModel]
    calendars: dict[str, CalendarModel]
    flow: list[LinkModel]


class MachineState(StateName):
    """The machine's state and since when."""

    since: Instant


class Shift(Document):
    """The running shift."""

    name: str = Field(examples=["early"])
    started_at: Instant
    ends_at: Instant


class Throughput(Document):
    """What the asset produces."""

    unit: str = Field(description="parts or moves", examples=["parts"])
    now_per_h: float | None = Field(description="Rate now, per hour", examples=[42.1])
    this_shift: float | None = Field(description="Count since the shift began", examples=[301])
    shift: Shift | None


class Freshness(Document):
    """How old the newest value is, and why."""

    newest_at: Instant | None
    age_s: float | None = Field(description="Seconds, when the document was made (`at`)", examples=[0.4])
    reason: str = Field(
        description="live, late, stale, gateway-offline, never; feed-silent when the twin itself publishes nothing",
        examples=["live"],
    )
    explanation: str = Field(description="One sentence", examples=["Values arrive as expected."])


class Baseline(Document):
    """What was usual when a finding opened, in the unit of its signal."""

    centre: float
    spread: float | None = Field(description="Standard deviation")


class Contribution(Document):
    """What one signal has to do with a finding."""

    signal: str
    share: float = Field(description="Of the score, 0 to 1", examples=[0.72])
    sign: Literal[-1, 0, 1] = Field(description="Above (1) or below (-1) its baseline")


class Finding(Document):
    """Something that a detector found and that goes on."""

    id: str
    signal: str
    detector: str = Field(examples=["spike"])
    since: Instant
    score: float
    message: str
    p: float | None = Field(
        default=None, description="That ten minutes without a fault are as odd as this; null for hard rules"
    )
    expected_per_day: float | None = Field(
        default=None, description="Alarms per day of its area at this level without a fault", examples=[0.3]
    )
    baseline: Baseline | None = None
    contributions: list[Contribution] = Field(default=[], description="Greatest share first")
    regime: str = Field(default="", description="Whose baseline it is", examples=["running"])
    model: str = Field(default="", description="Version of what judged")
    earlier: str | None = Field(default=None, description="The last finding of this kind on this signal before")


class SignalValue(Document):
    """The last value of a signal."""

    value: float | str | None
    time: Instant
    received_at: Instant
    quality: str = Field(examples=["good"])
    fresh: bool


class Children(Document):
    """The machines below a line, area or site."""

    running: int
    down: int = Field(description="Out of service")
    total: int


class RiskNow(Document):
    """The probability that a fault begins within a horizon, as it was said last."""

    horizon: str = Field(description="shift, 24h or 7d", examples=["24h"])
    p: float = Field(examples=[0.034])
    low: float | None = Field(description="Lower end of the 90 % band")
    high: float | None = Field(description="Upper end of the 90 % band")
    calibrated: bool = Field(description="False: a prior that was never measured against failures")
    at: Instant


class AssetState(Document):
    """The live state of one asset; sites, areas and lines sum up what is below them."""

    format: Literal[1]
    path: AssetPath
    at: Instant
    seq: int = Field(description="The last batch of samples that this state contains")
    machine_state: MachineState | None
    throughput: Throughput | None
    health: Literal["good", "warning", "bad", "unknown"]
    freshness: Freshness
    findings: list[Finding]
    signals: dict[str, SignalValue] = Field(default={}, description="By name; absent when not asked for")
    risks: list[RiskNow] = Field(default=[], description="Absent while no model has given a number")
    children: Children | None = Field(default=None, description="Absent of units")
    gateways: list[str] = Field(default=[], description="By which the last values came; of units, live only")


class KeptFinding(Finding):
    """A finding as it is kept."""

    asset: AssetPath
    until: Instant | None = Field(description="Null: it goes on")


class FindingsModel(Document):
    """Oldest first."""

    start: Instant
    end: Instant
    findings: list[KeptFinding]


class FeedModel(Document):
    """How far the live documents can be trusted."""

    at: Instant
    status: Literal["starting", "live", "silent", "disconnected"]
    heard_at: Instant | None
    explanation: str


class StatesModel(Document):
    """The state of many assets, now or at a past instant."""

    feed: FeedModel
    at: Instant | None = Field(default=None, description="The past instant that was asked for")
    states: list[AssetState]


class GatewayModel(Document):
    """What an edge agent reports of itself."""

    format: Literal[1]
    node: str = Field(examples=["edge-factory"])
    status: str = Field(description="online or offline", examples=["online"])
    problems: list[str] = Field(
        default_factory=list,
        description="What needs a person, one sentence each; empty when all is well",
        examples=[["source press is down: connection refused"]],
    )


class GatewaysModel(Document):
    """Every known edge agent."""

    feed: FeedModel
    gateways: list[GatewayModel]


class GapModel(Document):
    """An interval in which readings may be missing."""

    start: Instant
    end: Instant
    cause: str = Field(examples=["subscription-lost"])
    detail: str


class SeriesModel(Document):
    """The samples of one signal in columns of equal length, oldest first."""

    signal: str = Field(examples=["factory/machining/mill-1/spindle-current"])
    title: str
    kind: Literal["measurement", "counter", "state", "text"]
    unit: str = Field(examples=["A"])
    start: Instant
    end: Instant
    reduced: bool = Field(description="true when only the extremes of each bucket, or roll-ups, are here")
    bin_s: int | None = Field(
        description="null: samples. Else each row is a roll-up of so many seconds: `time_ms` its beginning, `value` the"
        " time-weighted mean, `quality` 4 (held) where no sample lies in it, 1 where not every one is good"
    )
    rows: int
    time_ms: list[float] = Field(description="Milliseconds since 1970 UTC", examples=[[1772446500250.0]])
    value: list[float | str | None] = Field(examples=[[12.3]])
    quality: list[int] = Field(description="Octets, see the introduction", examples=[[0]])
    gaps: list[GapModel] = Field(description="Recorded holes that touch the window")
    coverage: float = Field(description="Share of the window, up to now, that no recorded gap touches", examples=[1.0])
    kept_from: Instant | None = Field(description="Samples before it may have been dropped; null: none of this window")
    low: list[float | None] | None = Field(None, description="Of roll-ups: the lowest sample that is not bad")
    high: list[float | None] | None = Field(None, description="Of roll-ups: the highest sample that is not bad")
    samples: list[int] | None = Field(None, description="Of roll-ups: how many samples lie in it")
    covered_s: list[float] | None = Field(
        None, description="Of roll-ups: so long a value was in force; it lasts to the next one, at most `stale_after_s`"
    )
