"""What planners and engineers ask of the twin, a method each; times are RFC 3339, `now`, or back from now (`-8h`)."""

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from twin.client.session import ApiProblem, Session, at_path, pa

_POLL_S = 0.5


class Twin(Session):
    """The twin behind one api. Every table is a frame of the kind that was chosen, times in UTC.

    Raises:
        ApiProblem: from every method, when the api cannot answer; it says what to do.
    """

    def plant(self) -> dict[str, Any]:
        """Assets, signals and the flow between them."""
        return self.json("/v1/plant")

    def state(self, asset: str) -> dict[str, Any]:
        """What the twin believes of one asset now."""
        return self.json(at_path("assets", asset, "state"))

    def series(self, signal: str, start: str = "-1h", end: str = "now", points: int | None = None) -> Any:  # noqa: ANN401
        """Samples of one signal, all of them or reduced to the extremes of `points`; columns time, value, quality …"""
        return self.table(at_path("signals", signal, "series"), {"start": start, "end": end, "points": points})

    def kpis(
        self, under: str, by: str = "total", level: str | None = None, start: str = "-1d", end: str = "now"
    ) -> Any:  # noqa: ANN401
        """Key figures per asset and hour, shift, day, order or total; docs/reference/kpis.md has the formulas."""
        return self.table("/v1/kpis", {"under": under, "by": by, "level": level, "start": start, "end": end})

    def bottlenecks(self, under: str, start: str = "-8h", end: str = "now") -> Any:  # noqa: ANN401
        """Which machine held up the others: shares of the window per machine."""
        found = self.json("/v1/bottlenecks", {"under": under, "start": start, "end": end})
        return self.frame(pa.Table.from_pylist(found["shares"]))

    def forecasts(self, under: str | None = None, by: str = "shift", origin: str = "now") -> Any:  # noqa: ANN401
        """The newest forecast of throughput: expected value and quantiles per asset and hour, shift, day or week."""
        return self.table("/v1/forecasts", {"under": under, "by": by, "origin": origin})

    def forecast_accuracy(self, under: str | None = None, days: int = 28) -> Any:  # noqa: ANN401
        """How right the forecasts of the last days were: coverage, MASE, pinball loss."""
        return self.table("/v1/forecasts/accuracy", {"under": under, "days": days})

    def alarms(self, state: str = "standing", under: str | None = None, priority: str = "low") -> Any:  # noqa: ANN401
        """Alarms, the most urgent first, all pages."""
        asked = {"state": state, "under": under, "priority": priority, "limit": 1000}
        rows = [_flat(one) for one in self._pages("/v1/alarms", asked, "alarms")]
        return self.frame(pa.Table.from_pylist(rows))

    def risk(self) -> Any:  # noqa: ANN401
        """P(a fault begins within 8 h, 24 h, 7 d) per machine, a row per horizon."""
        found = self.json("/v1/risk")["risks"]
        rows = [{"asset": one["asset"], "at": one["at"], **_flat(part)} for one in found for part in one["horizons"]]
        return self.frame(pa.Table.from_pylist(rows))

    def whatif(self, scenario: Mapping[str, Any] | str | Path, wait_s: float = 600.0) -> dict[str, Any]:
        """Simulate a scenario (a mapping, or a YAML or JSON file) against the base case; waits for the answer.

        Raises:
            ApiProblem: it cannot be simulated, or is not done after `wait_s` (`kind` is ``not-done``).
        """
        text = scenario if isinstance(scenario, Mapping) else yaml.safe_load(Path(scenario).read_text("utf-8"))
        asked = self.post("/v1/scenarios", json.loads(json.dumps(text, default=str)))
        until = time.monotonic() + wait_s
        while time.monotonic() < until:
            found = self.json(at_path("scenarios", asked["id"]))
            if found["answer"] is not None:
                return found["answer"]
            if found["state"] == "failed":
                raise ApiProblem(200, "failed", str(found["detail"]), "mend the scenario")
            time.sleep(_POLL_S)
        raise ApiProblem(200, "not-done", f"scenario {asked['id']} goes on", "ask for it later, or raise wait_s")

    def _pages(self, path: str, asked: Mapping[str, object], name: str) -> Iterator[dict[str, Any]]:
        cursor: str | None = None
        while True:
            page = self.json(path, {**asked, "cursor": cursor})
            yield from page[name]
            cursor = page.get("next")
            if not cursor:
                return


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Nested parts of a row as JSON text: a frame has plain columns."""
    return {name: json.dumps(value) if isinstance(value, dict | list) else value for name, value in row.items()}
