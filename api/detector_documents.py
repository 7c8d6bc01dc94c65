"""The shapes of what is said about detectors, for the OpenAPI document."""

from typing import Any

from pydantic import Field

from api.documents import Document, Instant


class FittedModel(Document):
    """A fitted model in use."""

    version: int
    fitted_at: Instant
    trained_from: Instant
    trained_to: Instant
    report: dict[str, Any] = Field(
        description="What was fitted; of stretches: `chosen`, `by` (plant or trial), `reasons`, `trials`, `length_s`"
    )


class DetectorsModel(Document):
    """What judges one signal."""

    signal: str = Field(examples=["factory/machining/mill-1/spindle-current"])
    asked_for: list[str] | None = Field(description="`detectors` of the plant model; null: chosen by trial")
    samples: list[str] = Field(description="Detectors of every sample", examples=[["spike", "drift"]])
    bank: FittedModel | None = Field(description="Compares the signals of its asset; null: not fitted yet")
    stretches: FittedModel | None = Field(description="Detectors of stretches; null: not fitted yet")
