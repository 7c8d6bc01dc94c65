"""The shapes of what is said about the risk of faults and about maintenance, for the OpenAPI document."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from api.documents import AssetPath, Document, GivenInstant, Instant
from twin.plant.maintenance import MaintenanceKind
from twin.risk.statement import Basis


class ReasonModel(Document):
    """What raises the risk."""

    feature: str = Field(examples=["drift 8 h"])
    value: float | None = Field(description="Its value now; null: not known")
    log_odds: float = Field(description="What the score loses with the class's median in its place (occlusion)")


class HorizonModel(Document):
    """The probability that a fault begins within a horizon; null where the basis gives no number."""

    horizon_h: float = Field(examples=[24.0])
    p: float | None = Field(ge=0, le=1, examples=[0.034])
    low: float | None = Field(description="Lower end of the 90 % band", examples=[0.01])
    high: float | None = Field(description="Upper end of the 90 % band", examples=[0.08])
    basis: Basis
    calibrated: bool = Field(description="Whether p was calibrated on failures that the model had not seen")
    failures: int = Field(description="Failures of this type of machine that it rests on", examples=[31])
    reasons: list[ReasonModel]


class LifeModel(Document):
    """Hours to the next fault; at the cap: at least that."""

    hours: float
    low: float
    high: float
    cap: float
    failures: int


class RiskModel(Document):
    """What was said of one machine, and when."""

    asset: AssetPath
    at: Instant | None = Field(description="Null: nothing has been said yet")
    model: int | None = Field(description="Version of the model of this type of machine; null: none is fitted")
    horizons: list[HorizonModel]
    remaining_life: LifeModel | None


class RisksModel(Document):
    """Every machine of the newest turn."""

    risks: list[RiskModel]


class ReliabilityModel(Document):
    """How good the probabilities of one type of machine are."""

    type: str = Field(examples=["mill"])
    version: int
    state: str = Field(examples=["champion"])
    fitted_at: Instant
    report: dict[str, Any] = Field(description="Basis, failures, verdict; per horizon scores and reliability diagram")


class ReliabilitiesModel(Document):
    """The newest versions first."""

    models: list[ReliabilityModel]


class NewEvent(BaseModel):
    """One maintenance event."""

    model_config = ConfigDict(extra="forbid")

    asset: AssetPath
    at: GivenInstant = Field(description="When it began", examples=["2026-03-02T10:15:00Z"])
    until_at: GivenInstant | None = Field(default=None, description="When it ended", examples=["2026-03-02T11:00:00Z"])
    kind: MaintenanceKind
    component: Annotated[str, Field(max_length=200, examples=["spindle bearing"])] = ""
    comment: Annotated[str, Field(max_length=2_000)] = ""

    @field_validator("component", "comment")
    @classmethod
    def _storable(cls, text: str, info: ValidationInfo) -> str:
        if "\0" in text or not text.isprintable():
            raise ValueError(f"{info.field_name} holds characters that cannot be printed; remove them")
        return text


class EventModel(NewEvent):
    """One maintenance event as it is kept."""

    model_config = ConfigDict(extra="allow")

    id: str
    source: str


class EventsModel(Document):
    """Oldest first."""

    events: list[EventModel]


class Accepted(Document):
    """What became of the events."""

    accepted: int
    new: int = Field(description="Fewer than accepted when some were told before")
