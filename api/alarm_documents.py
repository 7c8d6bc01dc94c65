"""The shapes of alarms, operators' actions, replays and reports, for the OpenAPI document and for what is sent in."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, field_validator

from api.documents import Document, GivenInstant, Instant
from api.window import PATTERN
from twin.plant.alarm import Priority
from twin.state.alarm_model import AlarmKind, Phase, Verdict, What

_TEXT = (
    r"^[^\x00-\x08\x0b-\x1f\x7f]*\S[^\x00-\x08\x0b-\x1f\x7f]*$"  # something to read, and nothing that a store refuses
)
Comment = Annotated[
    str,
    Field(min_length=1, max_length=2_000, pattern=_TEXT, description="Why; kept for ever", examples=["I am on my way"]),
]
PathText = Annotated[
    str, Field(min_length=1, max_length=500, pattern=r"^[a-z0-9/-]+$", examples=["factory/machining/mill-1"])
]


class Said(BaseModel):
    """What every action needs: why. Who it is, is whoever is signed in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    comment: Comment

    @field_validator("comment")
    @classmethod
    def _encodable(cls, text: str) -> str:
        text.encode()  # half of a surrogate pair is no text
        return text


class Shelving(Said):
    """Until when: `for_s` seconds from now, or, without it, until the alarm clears (one-shot)."""

    for_s: float | None = Field(default=None, ge=1, le=43_200, examples=[1800])


class Judgement(Said):
    """What was found at the machine."""

    verdict: Verdict
    occurrence: int | None = Field(
        default=None, ge=1, le=2_147_483_647, description="Which time it was raised; the last"
    )


class MaintenanceOrder(Said):
    """A maintenance window, or an asset that is out of service until somebody ends it."""

    kind: Literal["maintenance", "out-of-service"] = "maintenance"
    under: PathText = Field(description="An asset, a signal, or gateways/<node>: alarms at and below it are suppressed")
    start: GivenInstant | None = Field(default=None, description="Default: now")
    end: GivenInstant | None = Field(default=None, description="A maintenance window needs one")


class NewNormalOrder(Said):
    """What this signal, or this asset, does now is how it shall be."""

    path: PathText


class ActionModel(Document):
    """What was kept; it takes effect as soon as `twin run` reads it."""

    id: int
    kind: str = Field(examples=["acknowledge"])
    target: str
    at: Instant
    operator: str
    comment: str
    detail: dict[str, Any]


class ShelfModel(Document):
    """Who does not want to hear of it, and until when; null: until it clears."""

    until: Instant | None
    operator: str
    comment: str


class AlarmModel(Document):
    """One alarm as it stands."""

    id: UUID
    kind: AlarmKind
    name: str = Field(description="hi-hi, stale, spike, 24h, offline …", examples=["hi-hi"])
    title: str
    source: str = Field(description="Signal, asset or gateways/<node>", examples=["factory/machining/mill-1/vibration"])
    asset: str = Field(description="By what it is grouped")
    scope: str = Field(description="The area in which floods are counted", examples=["factory/machining"])
    priority: Priority
    phase: Phase
    active: bool
    announced: bool = Field(description="false: shelved, suppressed, or normal")
    since: Instant | None = Field(description="When it was raised last")
    cleared_at: Instant | None
    changed_at: Instant | None
    occurrence: int = Field(description="How often it was raised")
    message: str
    value: float | None
    why: dict[str, Any] = Field(description="The evidence: contributions, p, score, or nothing for a limit")
    shelf: ShelfModel | None
    suppressed_by: list[str]
    grouped: bool = Field(description="Raised in a flood")
    actions: list[str] = Field(description="What can be done to it now")


class AlarmsModel(Document):
    """A page of alarms, the most urgent first."""

    alarms: list[AlarmModel]
    next: str | None = Field(description="Send as `cursor` for the page behind; null at the end")


class TransitionModel(Document):
    """One step in the life of an alarm."""

    id: int
    step: int
    at: Instant
    what: What
    phase: Phase
    occurrence: int
    announced: bool
    message: str
    value: float | None
    operator: str | None
    comment: str
    action: int | None
    detail: dict[str, Any]


class AlarmHistoryModel(AlarmModel):
    """An alarm with every step of its life, oldest first."""

    history: list[TransitionModel]


class WindowModel(Document):
    """A maintenance window or an asset out of service."""

    id: int
    kind: str
    under: str
    start: Instant
    end: Instant | None
    operator: str
    comment: str
    ended_at: Instant | None
    ended_by: str | None
    ended_comment: str | None


class WindowsModel(Document):
    """The newest first."""

    windows: list[WindowModel]


class TrialRule(BaseModel):
    """A limit or stale alarm to try; what is left out is as in the plant model, or its default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    signal: PathText
    name: Literal["lo-lo", "lo", "hi", "hi-hi", "stale"]
    limit: float | None = Field(default=None, allow_inf_nan=False)
    deadband: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    after_s: float | None = Field(default=None, gt=0, le=31_536_000)
    on_delay_s: float | None = Field(default=None, ge=0, le=86_400)
    off_delay_s: float | None = Field(default=None, ge=0, le=86_400)


class TrialAnomalies(BaseModel):
    """Other delays for the alarms of detectors, over the stored findings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    under: PathText | None = None
    detectors: list[Annotated[str, Field(min_length=1, max_length=50, pattern=r"^[a-z0-9-]+$")]] = Field(
        default_factory=list[str], max_length=50
    )
    on_delay_s: float | None = Field(default=None, ge=0, le=86_400)
    off_delay_s: float | None = Field(default=None, ge=0, le=86_400)


class ReplayOrder(BaseModel):
    """One of the two, over a window of stored history."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: TrialRule | None = None
    anomalies: TrialAnomalies | None = None
    start: str = Field(default="-7d", max_length=40, pattern=PATTERN)
    end: str = Field(default="now", max_length=40, pattern=PATTERN)


class EpisodeModel(Document):
    """Once from raised to cleared; null: it would still be active."""

    raised_at: Instant
    cleared_at: Instant | None
    source: str
    name: str
    message: str
    value: float | None


class DayModel(Document):
    """Alarms of one day (UTC)."""

    day: str = Field(examples=["2026-03-02"])
    raised: int


class ReplayModel(Document):
    """How often it would have fired."""

    source: str | None
    name: str
    rule: dict[str, float | None] | None
    start: Instant
    end: Instant
    read: int = Field(description="Samples, or findings")
    raised: int
    raised_per_day: float
    active_share: float
    per_day: list[DayModel]
    episodes: list[EpisodeModel]
    more_episodes: int = Field(description="So many more are not listed")


class ActorModel(Document):
    """An alarm that stands out."""

    id: UUID
    source: str
    name: str
    title: str


class PrecisionModel(Document):
    """How often a detector was right, as operators judged; the interval is Wilson's at 95 %."""

    detector: str
    real: int
    false: int
    known: int
    precision: float
    low: float
    high: float


class ReportModel(Document):
    """How well the alarm system serves its operators, by ISA-18.2 and EEMUA 191."""

    start: Instant
    end: Instant
    raised: int = Field(description="Alarms that were announced")
    per_operator_h: float
    target_per_operator_h: float
    most_in_ten_minutes: int
    flood_share: float = Field(description="Share of ten-minute intervals with more than ten alarms")
    priorities: dict[str, int]
    acknowledged_after_s: dict[str, float | None]
    bad_actors: list[ActorModel]
    chattering: list[ActorModel]
    standing: list[ActorModel]
    precision: list[PrecisionModel]
