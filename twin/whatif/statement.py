"""What is said of a scenario: the nouns of an answer, as JSON and as tables. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

from twin.whatif.back_test import BackTest
from twin.whatif.outcome import Quantiles
from twin.whatif.sensitivity import Sensitivity
from twin.whatif.takeover import Takeover

TableName = Literal["fans", "outputs", "assets", "orders", "sensitivity", "takeovers", "back_tests"]


@dataclass(frozen=True, slots=True)
class Output:
    """One site's throughput: parts out of the factory, boxes moved at the quay."""

    site: str
    base: Quantiles
    changed: Quantiles
    difference: float  # mean of changed − base, replication by replication
    low: float  # its 95 % confidence interval
    high: float
    at_most_per_h: float  # what the slowest resource of the changed flow allows


@dataclass(frozen=True, slots=True)
class AssetAnswer:
    """One resource, in the base case and changed."""

    asset: str
    base_busy: float  # share of the time in work
    busy: float
    down: float
    blocked: float
    base_bottleneck: float  # likeness of being the slowest: its busy and down share over that of the busiest
    bottleneck: float
    starves_after_s: float | None  # first makes less than half of the base case; None = never
    recovers_after_s: float | None  # from here on at least 95 % of it; None = not within the horizon, or never starved


@dataclass(frozen=True, slots=True)
class OrderAnswer:
    """One order."""

    asset: str
    things: int
    due_s: float
    base_on_time: float  # share of replications
    on_time: float
    lateness_s: Quantiles | None  # of those that end within the horizon


@dataclass(frozen=True, slots=True)
class Fan:
    """Things per bucket; each list is one value per bucket."""

    site: str
    end_s: list[float]
    base: dict[str, list[float]]  # q05, q50, q95
    changed: dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Answer:
    """Everything that is said of a scenario."""

    title: str
    under: str
    horizon_s: float
    replications: int
    engine: str
    outputs: list[Output]
    fans: list[Fan]
    assets: list[AssetAnswer]
    orders: list[OrderAnswer]
    sensitivity: list[Sensitivity]  # of the scenario, greatest gain first
    bottlenecks: dict[str, str | None]  # per site what the sensitivity confirms; null: nothing is certain
    takeovers: list[Takeover]  # of everything that is down or closed
    trust: str  # what the back-test says
    back_tests: list[BackTest]

    def document(self) -> dict[str, Any]:
        """For JSON."""
        found = asdict(self)
        for part, one in zip(found["takeovers"], self.takeovers, strict=True):
            part["words"] = one.words
        for part, one in zip(found["back_tests"], self.back_tests, strict=True):
            part["holds"] = one.holds
        return found

    def rows(self) -> dict[str, list[Any]]:
        """The fans as columns, for CSV, Arrow and Parquet."""
        return answer_rows(self.document(), "fans")


def answer_rows(document: Mapping[str, Any], part: TableName) -> dict[str, list[Any]]:
    """One part of an answer's document as columns, for CSV, Arrow and Parquet."""
    if part == "fans":
        return _fan_rows(document["fans"])
    columns: dict[str, list[Any]] = {}
    rows = [_flat(row) for row in document[part]]
    for name in dict.fromkeys(name for row in rows for name in row):
        columns[name] = [row.get(name) for row in rows]
    return columns


def _fan_rows(fans: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {"site": [], "end_s": []}
    for fan in fans:
        columns["site"] += [fan["site"]] * len(fan["end_s"])
        columns["end_s"] += fan["end_s"]
        for case in ("base", "changed"):
            for level, values in fan[case].items():
                columns.setdefault(f"{case}_{level}", []).extend(values)
    return columns


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Quantiles become columns, lists text."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            inner = cast("dict[str, Any]", value)
            found |= {f"{name}_{key}": one for key, one in inner.items()}
        elif isinstance(value, list):
            several = cast("list[Any]", value)
            found[name] = ", ".join(one if isinstance(one, str) else str(one["asset"]) for one in several)
        else:
            found[name] = value
    return found
