"""The dashboards ask only for what the store and the metrics have."""

import json
import re
from pathlib import Path

import psycopg
import pytest
import yaml

from api.metrics import Metrics
from edge import metrics as edge_metrics

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
MACROS = {  # as Grafana's PostgreSQL data source writes them out
    r"\$__timeGroup\(([^,]+), [^)]+\)": r"to_timestamp(floor(extract(epoch FROM \1) / 60) * 60)",
    r"\$__timeFilter\(([^)]+)\)": r"\1 BETWEEN '2026-01-01T00:00:00Z' AND '2026-01-02T00:00:00Z'",
    r"\$__timeFrom\(\)": "'2026-01-01T00:00:00Z'",
    r"\$__timeTo\(\)": "'2026-01-02T00:00:00Z'",
    r"\$(asset|signal)": "factory/hall",
}


def dashboard(name):
    return json.loads((CONFIGS / "grafana" / "dashboards" / f"{name}.json").read_text())


def queries():
    found = dashboard("plant")
    yield from ((panel["title"], target["rawSql"]) for panel in found["panels"] for target in panel["targets"])
    yield from ((variable["label"], variable["query"]) for variable in found["templating"]["list"])


def test_every_query_of_the_plant_dashboard_runs(dsn):
    asked = list(queries())
    assert len(asked) == 12
    with psycopg.connect(dsn) as connection:
        for title, sql in asked:
            for macro, written in MACROS.items():
                sql = re.sub(macro, written, sql)
            assert "$" not in sql, title
            assert connection.execute(sql).description, title


def exposed():
    """The metrics that api and agents have, as their code names them."""
    api = {sample.name for family in Metrics().registry.collect() for sample in family.samples}
    api |= {f"{family.name}{end}" for family in Metrics().registry.collect() for end in ("", "_total", "_bucket")}
    source = Path(edge_metrics.__file__).read_text()
    return api | {f"fabriquay_edge_{name}" for name in re.findall(r'"([a-z_]+)"', source)}


@pytest.mark.parametrize("place", ["dashboard", "alerts"])
def test_every_metric_that_is_asked_for_exists(place):
    if place == "dashboard":
        asked = [target["expr"] for panel in dashboard("operation")["panels"] for target in panel["targets"]]
    else:
        rules = yaml.safe_load((CONFIGS / "prometheus" / "alerts.yml").read_text())["groups"][0]["rules"]
        asked = [rule["expr"] for rule in rules]
    names = {name for one in asked for name in re.findall(r"fabriquay_\w+", one)}
    assert len(names) >= 5
    assert names <= exposed()
