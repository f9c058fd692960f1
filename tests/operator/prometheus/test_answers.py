"""What Prometheus answers is one number, or words on why there is none."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_operator.prometheus.answers import answer_of


def success(kind, result, **more):
    return {"status": "success", "data": {"resultType": kind, "result": result}} | more


def said(answer, status=200):
    return answer_of(status, json.dumps(answer).encode())


def refusal(words):
    return {"status": "error", "errorType": "execution", "error": words}


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        pytest.param(success("vector", [{"metric": {}, "value": [1, "0.02"]}]), 0.02, id="vector"),
        pytest.param(success("scalar", [1, "-3e4"]), -3e4, id="scalar"),
    ],
)
def test_one_finite_number_is_an_answer(answer, value):
    assert said(answer).value == value
    assert said(answer).trouble == ""


SAMPLE = {"metric": {}, "value": [1, "1"]}


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        pytest.param(success("vector", []), 200, "no time series matches", id="empty"),
        pytest.param(success("scalar", [1, "NaN"]), 200, "NaN", id="not a number"),
        pytest.param(success("scalar", [1, "+Inf"]), 200, "division by 0", id="without end"),
        pytest.param(success("vector", [SAMPLE] * 3), 200, "3 time series", id="several"),
        pytest.param(success("matrix", [SAMPLE]), 200, "gives a matrix", id="a range"),
        pytest.param(success("string", [1, "7"]), 200, "gives a string", id="a text"),
        pytest.param(
            success("vector", [{"metric": {}, "histogram": [1, {}]}]), 200, "a histogram", id="hist"
        ),
        pytest.param(
            success("scalar", [1, "1"], warnings=["store down"]), 200, "store down", id="in part"
        ),
        pytest.param(
            refusal("1:5: parse error"), 400, "the query is broken: 1:5: parse error", id="broken"
        ),
        pytest.param(refusal("query timed out"), 503, "timed out (HTTP 503)", id="too slow"),
        pytest.param(success("scalar", [1, "1"]), 500, "HTTP 500", id="a number with an error"),
        pytest.param("moved", 302, "HTTP 302", id="elsewhere"),
        pytest.param("no", 401, "refused the operator", id="unknown to it"),
        pytest.param("no", 403, "refused the operator", id="forbidden"),
        pytest.param({"ok": True}, 200, "answered is no Prometheus", id="somebody else"),
        pytest.param(
            success("scalar", [1, "seven"]), 200, "answered is no Prometheus", id="no number"
        ),
        pytest.param(success("vector", [[]]), 200, "answered is no Prometheus", id="no sample"),
        pytest.param(success("vector", 7), 200, "answered is no Prometheus", id="no list"),
    ],
)
def test_anything_else_is_no_number_and_says_why(answer, status, words):
    assert said(answer, status).value is None
    assert words in said(answer, status).trouble


@given(
    st.sampled_from([200, 302, 400, 503]),
    st.one_of(
        st.binary(),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(),
            lambda inner: (
                st.lists(inner)
                | st.dictionaries(st.sampled_from(["status", "data", "result", "error"]), inner)
            ),
        ).map(lambda value: json.dumps(value).encode()),
    ),
)
def test_no_answer_is_too_strange(status, body):
    answer = answer_of(status, body)

    assert (answer.value is None) == bool(answer.trouble)


def test_long_words_with_line_breaks_become_one_short_line():
    trouble = said(refusal("a\nb\x1b[31m" + "c" * 5000), 400).trouble

    assert trouble.startswith("the query is broken: a b [31mccc")
    assert len(trouble) < 400
