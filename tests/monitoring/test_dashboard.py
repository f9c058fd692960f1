"""The dashboard asks Prometheus for what there is, in PromQL that it understands."""

import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry

from helm import CHART, rendered
from model_operator.metrics.operation import Metrics
from model_router.envoy.statistics import stats_config
from real_prometheus import promtool

BOARD = json.loads((CHART / "files" / "dashboard.json").read_text())
QUERIES = {
    f"{panel['title']} {target['refId']}": target["expr"]
    for panel in BOARD["panels"]
    for target in panel["targets"]
}
SERVER_PAGE = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"
METRIC = re.compile(r"[a-z_:]+(?={)")
INTERVAL = "$__rate_interval"


def test_prometheus_understands_every_query(tmp_path):
    rules = [
        {
            "record": "panel",
            "labels": {"panel": name},
            "expr": expr.replace("$__rate_interval", "1m"),
        }
        for name, expr in QUERIES.items()
    ]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))

    code, said = promtool("check", "rules", str(file))

    assert code == 0, said
    assert f"{len(QUERIES)} rules found" in said


def is_told(metric):
    """Whether the operator, a router or a server tells of it."""
    if metric.startswith("modelfleet_"):
        return metric in {found.name for found in Metrics(CollectorRegistry()).registry.collect()}
    plain = re.sub("_(bucket|sum)$", "", metric).removesuffix("_count")
    if metric.startswith(":"):
        page = SERVER_PAGE.read_text()
        return any(f"| `{name}` |" in page for name in (metric, plain))
    name = plain.removeprefix("envoy_cluster_").replace("_rq_xx", "_rq_5xx")
    kept = stats_config()["stats_matcher"]["inclusion_list"]["patterns"]
    return any(re.search(item["safe_regex"]["regex"], f"cluster.x.{name}") for item in kept)


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_somebody_tells_of_every_metric(query):
    found = METRIC.findall(query)

    assert found
    assert [metric for metric in found if not is_told(metric)] == []


def test_the_chart_hands_it_to_grafana_when_asked():
    def boards(*values):
        maps = [item for item in rendered(*values) if item["kind"] == "ConfigMap"]
        return [item for item in maps if "dashboard" in item["metadata"]["name"]]

    [found] = boards("metrics.dashboard.enabled=true")

    assert boards() == []
    assert json.loads(found["data"]["modelfleet.json"]) == BOARD
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
