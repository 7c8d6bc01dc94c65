"""`risk:` in configs/twin.yaml."""

from collections.abc import Mapping

from pydantic import Field, PositiveFloat

from twin.settings import Settings


class RiskSettings(Settings):
    """What the risk of a fault is learnt from."""

    lookback_days: float = Field(default=180.0, gt=0, le=3_650)
    keep_days: float = Field(default=90.0, gt=0, le=3_650)  # statements, for the record
    mtbf_h: Mapping[str, PositiveFloat] = {}  # known mean time between faults, hours of use, by type of asset
