"""The shapes of the forecast answers, for the OpenAPI document: tables as columns of equal length."""

from typing import Literal

from pydantic import Field

from api.documents import AssetPath, Document, Instant


class ForecastsModel(Document):
    """Stretches of time of any number of assets, by asset and time."""

    by: Literal["hour", "shift", "day", "week"]
    levels: list[float] = Field(description="The probabilities of the quantiles", examples=[[0.1, 0.5, 0.9]])
    rows: int
    asset: list[AssetPath]
    name: list[str] = Field(description="Of the shift; the local date; empty for hours", examples=[["early"]])
    origin: list[Instant] = Field(description="When it was issued; nothing later was known")
    start: list[Instant]
    end: list[Instant]
    unit: list[str] = Field(examples=[["parts"]])
    mean: list[float] = Field(description="The centre of the forecast", examples=[[412.0]])
    quantiles: list[list[float]] = Field(description="At `levels`, ascending")
    adjusted_mean: list[float] = Field(description="With the fault risk at the origin")
    adjusted: list[list[float]] = Field(description="At `levels`, with the fault risk")
    maturity: list[Literal["prior", "young", "learning", "mature"]] = Field(description="How much it rests on")
    actual: list[float | None] = Field(description="What came; null until it is known")


class AccuracyModel(Document):
    """One row per asset, kind of stretch and whole days ahead."""

    days: int = Field(description="Of forecasts whose time ended in so many last days")
    rows: int
    asset: list[AssetPath]
    by: list[Literal["hour", "shift", "day", "week"]]
    days_ahead: list[int]
    count: list[int]
    inside_50: list[float] = Field(description="Share of truths inside the central 50 % interval; right at 0.5")
    inside_80: list[float]
    inside_95: list[float]
    mean_error: list[float] = Field(description="Mean absolute error, in the forecast's unit")
    mase: list[float | None] = Field(description="Over the error of the seasonal naive; below 1 is better than it")
    pinball: list[float] = Field(description="Mean pinball loss over all levels")
