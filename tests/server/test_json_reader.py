"""Request bodies are read as RapidJSON v1.1.0 reads them, errors and offsets included."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_server.api.rest.json_reader import JsonError, read
from model_server.api.rest.json_scanner import scan

PROBLEMS = [
    pytest.param(b"", "The document is empty", id="nothing at all"),
    pytest.param(b" ", "Invalid value. at offset: 1", id="only a space"),
    pytest.param(b"}", "The document is empty. at offset: 0", id="a closing bracket first"),
    pytest.param(b"{", "Missing a name for object member. at offset: 1", id="an open object"),
    pytest.param(
        b'{"a"', "Missing a colon after a name of object member. at offset: 4", id="no colon"
    ),
    pytest.param(b'{"a":', "Invalid value. at offset: 5", id="no value"),
    pytest.param(
        b'{"a":1', "Missing a comma or } after an object member. at offset: 6", id="no bracket"
    ),
    pytest.param(
        b'{"a":1,}', "Missing a name for object member. at offset: 7", id="a trailing comma"
    ),
    pytest.param(b"[1,]", "Invalid value. at offset: 3", id="a trailing comma in a list"),
    pytest.param(
        b"[01]", "Missing a comma or ] after an array element. at offset: 2", id="a leading zero"
    ),
    pytest.param(b"[1.]", "Miss fraction part in number. at offset: 3", id="no fraction"),
    pytest.param(b"[1e+]", "Miss exponent in number. at offset: 4", id="no exponent"),
    pytest.param(b"[+1]", "Invalid value. at offset: 1", id="a plus sign"),
    pytest.param(b"[nan]", "Invalid value. at offset: 2", id="nan in lower case"),
    pytest.param(
        b"[1e400]", "Number too big to be stored in double. at offset: 1", id="beyond double"
    ),
    pytest.param(
        b'["\\ud800"]', "The surrogate pair in string is invalid. at offset: 2", id="half a pair"
    ),
    pytest.param(
        b'["\\u12G4"]', "Incorrect hex digit after \\u escape in string. at offset: 2", id="no hex"
    ),
    pytest.param(b'["\\x"]', "Invalid escape character in string. at offset: 2", id="bad escape"),
    pytest.param(b'["a\nb"]', "Invalid escape character in string. at offset: 3", id="line break"),
    pytest.param(
        b'["a', "Missing a closing quotation mark in string. at offset: 3", id="an open string"
    ),
]


@pytest.mark.parametrize(("body", "message"), PROBLEMS)
def test_a_body_that_is_no_json_says_what_is_wrong_and_where(body, message):
    with pytest.raises(JsonError) as raised:
        read(body)

    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("body", "value"),
    [
        pytest.param(b'{"a":1} trailing', {"a": 1}, id="what follows the value is ignored"),
        pytest.param(b'\xef\xbb\xbf{"a":1}', {"a": 1}, id="a byte order mark is skipped"),
        pytest.param(b'{"a":1,"a":2}', {"a": 1}, id="the first of equal keys counts"),
        pytest.param(b"[Inf,-Inf,Infinity,-Infinity]", [math.inf, -math.inf] * 2, id="infinity"),
        pytest.param(b'["\xff"]', ["\udcff"], id="bytes that are no UTF-8 are kept"),
        pytest.param(b'["\\ud83d\\ude00"]', ["\N{GRINNING FACE}"], id="a surrogate pair"),
        pytest.param(b"[1]\x00", [1], id="a NUL ends the document"),
        pytest.param(b"[18446744073709551615]", [2**64 - 1], id="the largest integer"),
        pytest.param(b"[1e2,1E-2]", [100.0, 0.01], id="exponents"),
    ],
)
def test_a_body_means_what_rapidjson_takes_it_for(body, value):
    assert read(body) == value


def test_nan_is_a_number():
    assert [math.isnan(number) for number in read(b"[NaN,-NaN]")] == [True, True]


def test_nesting_is_not_limited_by_the_stack():
    assert read(b"[" * 100_000 + b"]" * 100_000) is not None


documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(documents)
def test_the_exact_scanner_agrees_with_the_fast_parser_on_json(document):
    body = json.dumps(document).encode()

    assert repr(scan(body)) == repr(json.loads(body))


@given(st.binary())
def test_whatever_bytes_come_either_a_value_or_a_json_error_results(body):
    try:
        read(body)
    except JsonError as error:
        assert str(error)
