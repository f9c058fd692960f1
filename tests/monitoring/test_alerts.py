"""Each alert fires when it should, and is quiet otherwise, as promtool sees them."""

import re

import pytest
import yaml

from helm import CHART, rendered
from monitoring.documented import HOW_TO
from real_prometheus import promtool

ALERTS = CHART / "files" / "alerts.yaml"
RULES = yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]
OBJECT = 'namespace="shop",modeldeployment="ranker"'
REVISION = f'{OBJECT},revision="ranker-2"'


def condition(type_, value):
    return {f'modelfleet_condition{{{OBJECT},type="{type_}"}}': value}


def weights(wanted, programmed):
    return {
        f'modelfleet_weight_percent{{{REVISION},variant="",state="{state}"}}': value
        for state, value in (("wanted", wanted), ("programmed", programmed))
    }


def replicas(wanted, ready):
    return {
        f'modelfleet_replicas{{{REVISION},state="{state}"}}': value
        for state, value in (("wanted", wanted), ("ready", ready))
    }


def verdict(name):
    return {
        f'modelfleet_candidate_verdict{{{REVISION},verdict="{each}"}}': int(each == name)
        for each in ("Pass", "Fail", "Inconclusive")
    }


def answers(errors, requests):
    """What a router counts each minute."""
    rest = f'{REVISION},envoy_cluster_name="ranker/ranker-2/rest"'
    return {
        f'envoy_cluster_upstream_rq_xx{{{rest},envoy_response_code_class="5"}}': f"0+{errors}x60",
        f"envoy_cluster_upstream_rq_completed{{{rest}}}": f"0+{requests}x60",
    }


FIRING = 'count(ALERTS{alertname="%s",alertstate="firing"}) or vector(0)'
LEADS = {'modelfleet_leader{pod="a"}': 1, 'modelfleet_leader{pod="b"}': 0}
ZERO = {f'modelfleet_ready_reason{{{OBJECT},reason="ScaledToZero"}}': 1}
CASES = [
    ("ModelUnavailable", condition("Available", 0), condition("Available", 1)),
    ("ModelUnavailable", condition("Available", 0), condition("Available", 0) | ZERO),
    ("ModelStalled", condition("Stalled", 1), condition("Stalled", 0)),
    ("ModelReplicasMissing", replicas(4, 3), replicas(4, 4)),
    ("ModelVerdictBad", verdict("Fail"), verdict("Pass")),
    ("ModelVerdictMissing", verdict("Inconclusive"), verdict("Pass")),
    ("ModelWeightsNotFollowed", weights(50, 25), weights(50, 50)),
    ("ModelTrafficStrays", condition("Skewed", 1), condition("Skewed", 0)),
    ("ModelErrors", answers(6, 100), answers(4, 100)),
    ("ModelfleetOperatorAbsent", {'modelfleet_leader{pod="a"}': 0}, LEADS),
    (
        "ModelfleetPassesFail",
        {'modelfleet_reconcile_total{result="error"}': "0+1x60"},
        {'modelfleet_reconcile_total{result="success"}': "0+1x60"},
    ),
]


def series(samples):
    return [
        {"series": name, "values": value if isinstance(value, str) else f"{value}x60"}
        for name, value in samples.items()
    ]


def test_every_alert_fires_and_is_quiet_when_it_should(tmp_path):
    tests = [
        {
            "interval": "1m",
            "name": f"{alert} {'fires' if fires else 'is quiet'}",
            "input_series": series(samples),
            "promql_expr_test": [
                {
                    "expr": FIRING % alert,
                    "eval_time": "45m",
                    "exp_samples": [{"labels": "{}", "value": int(fires)}],
                }
            ],
        }
        for alert, bad, good in CASES
        for fires, samples in ((True, bad), (False, good))
    ]
    file = tmp_path / "tests.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(ALERTS)], "tests": tests}))

    code, said = promtool("test", "rules", str(file))

    assert code == 0, said


def test_no_alert_goes_without_a_test_and_a_word_in_the_documentation():
    page = (HOW_TO / "watch-with-prometheus.md").read_text()
    documented = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))

    alerts = {rule["alert"] for rule in RULES}
    assert alerts == {alert for alert, _, _ in CASES}
    assert alerts == {word for word in documented if word.startswith("Model")}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_has_a_severity_and_a_sentence(rule):
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"]["summary"]


def test_the_chart_installs_them_as_they_are_when_asked():
    def found(*values):
        return [item for item in rendered(*values) if item["kind"] == "PrometheusRule"]

    [rule] = found("metrics.alerts.enabled=true", "metrics.alerts.labels.release=kps")

    assert found() == []
    assert rule["spec"] == yaml.safe_load(ALERTS.read_text())
    assert rule["metadata"]["labels"]["release"] == "kps"
