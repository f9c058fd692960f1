"""The pages about status and metrics tell of everything that the operator says."""

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from model_operator.domain.conditions import ConditionType
from model_operator.domain.seen.troubles import REASONS
from model_operator.metrics.operation import Metrics
from model_operator.plan.rollout.change import Phase
from model_operator.plan.status.report import STATUS_PARTS

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
PAGES = [(REFERENCE / name).read_text() for name in ("status.md", "operator-metrics.md")]
NAMED = re.findall(r"`([A-Za-z_]+)`", "".join(PAGES))


@pytest.mark.parametrize("word", [*ConditionType, *REASONS, *Phase, *sorted(STATUS_PARTS)])
def test_the_pages_name(word):
    assert word in NAMED


def test_the_reasons_are_in_the_order_in_which_they_are_shown():
    found = [word for word in dict.fromkeys(NAMED) if word in REASONS]

    assert found == list(REASONS)


def test_the_pages_name_every_metric():
    families = {metric.name for metric in Metrics(CollectorRegistry()).registry.collect()}

    named = {word.removesuffix("_total") for word in NAMED}
    assert families <= named


def test_the_pages_name_no_metric_that_there_is_not():
    families = {metric.name for metric in Metrics(CollectorRegistry()).registry.collect()}

    assert {
        word.removesuffix("_total") for word in NAMED if word.startswith("modelfleet_")
    } <= families
