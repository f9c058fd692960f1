"""Which traffic records and endpoints are understood, and what is said about the others."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_router.record.documents import InvalidDocument
from model_router.record.endpoints import Endpoint, parse_endpoints
from model_router.record.traffic import Share, TrafficRecord, parse_record

CONTRACTS = Path(__file__).parents[2] / "contracts"
SCHEMA = jsonschema.Draft202012Validator(
    json.loads((CONTRACTS / "traffic-record.schema.json").read_text())
)
VALID = sorted((CONTRACTS / "traffic-record" / "valid").glob("*.json"))
INVALID = sorted((CONTRACTS / "traffic-record" / "invalid").glob("*.json"))
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_the_router_and_the_schema_take_every_valid_example(path):
    text = path.read_bytes()

    record = parse_record(text)

    assert record.name == json.loads(text)["name"]
    assert SCHEMA.is_valid(json.loads(text))


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_the_router_refuses_every_invalid_example_for_the_reason_given(path):
    example = json.loads(path.read_text())

    with pytest.raises(InvalidDocument) as refused:
        parse_record(json.dumps(example["record"]).encode())

    assert str(refused.value).startswith(example["reason"])
    assert SCHEMA.is_valid(example["record"]) is not example["refusedBySchema"]


def test_a_record_keeps_its_shares_in_their_order():
    assert parse_record((CONTRACTS / "traffic-record/valid/canary.json").read_bytes()) == (
        TrafficRecord(
            name="ranker",
            grpc_port=20002,
            rest_port=20003,
            timeout=timedelta(seconds=5),
            split=(Share("ranker-5f7c9", 95), Share("ranker-84b2d", 5)),
        )
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(b"", "document: not JSON", id="an empty file"),
        pytest.param(b'{"schema": 1', "document: not JSON", id="half a file"),
        pytest.param(b"\xff\xfe", "document: not JSON", id="not text"),
        pytest.param(b"[]", "document: must be an object, is []", id="a list"),
        pytest.param(b"[" * 100_000, "document: not JSON", id="brackets without end"),
        pytest.param(b" " * 1_048_577, "document: 1048577 bytes, at most", id="too long"),
        pytest.param(b'{"schema": NaN}', "schema: is NaN", id="a number that is none"),
    ],
)
def test_what_is_no_document_is_refused(text, says):
    with pytest.raises(InvalidDocument) as refused:
        parse_record(text)

    assert str(refused.value).startswith(says)


@given(ANY_JSON)
def test_no_json_at_all_does_more_than_be_refused(value):
    text = json.dumps({"schema": 1, "name": value, "ports": value, "split": value}).encode()

    with pytest.raises(InvalidDocument):
        parse_record(text)


@given(ANY_JSON)
def test_no_value_for_a_split_does_more_than_be_refused(value):
    record = json.loads(VALID[0].read_text()) | {"split": value}

    with pytest.raises(InvalidDocument):
        parse_record(json.dumps(record).encode())


def test_endpoints_are_sorted_and_each_is_there_once():
    pods = [
        {"address": "10.0.0.2", "grpcPort": 8500, "restPort": 8501},
        {"address": "10.0.0.1", "grpcPort": 8500, "restPort": 8501},
        {"address": "10.0.0.2", "grpcPort": 8500, "restPort": 8501},
    ]

    document = parse_endpoints(
        json.dumps({"schema": 1, "revision": "m-a", "endpoints": pods}).encode()
    )

    assert document.revision == "m-a"
    assert document.endpoints == (
        Endpoint("10.0.0.1", 8500, 8501),
        Endpoint("10.0.0.2", 8500, 8501),
    )


@pytest.mark.parametrize(
    ("pod", "says"),
    [
        pytest.param(
            {"address": "evil.example", "grpcPort": 1, "restPort": 2},
            "endpoints[0].address: must be an IP address",
            id="a name instead of an address",
        ),
        pytest.param(
            {"address": "10.0.0.1", "grpcPort": 0, "restPort": 2},
            "endpoints[0].grpcPort: must be a whole number from 1 to 65535, is 0",
            id="port 0",
        ),
        pytest.param(
            {"address": "10.0.0.1", "grpcPort": 1},
            "endpoints[0].restPort: is missing",
            id="a port is missing",
        ),
    ],
)
def test_a_pod_that_cannot_be_reached_is_refused(pod, says):
    with pytest.raises(InvalidDocument) as refused:
        parse_endpoints(json.dumps({"schema": 1, "revision": "m-a", "endpoints": [pod]}).encode())

    assert str(refused.value).startswith(says)
