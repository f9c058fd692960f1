"""Request bodies are read as RapidJSON v1.1.0 reads them, errors and offsets included."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_server.api.rest.json_reader import JsonError, read
from model_server.api.rest.json_scanner import OutOfSteps, scan

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


@pytest.mark.parametrize("levels", [501, 5_000, 500_000])
def test_nesting_is_limited_and_the_message_says_where_it_became_too_deep(levels):
    with pytest.raises(JsonError, match=r"nested deeper than 500 levels. at offset: 500"):
        scan(b"[" * levels + b"]" * levels)


def test_nesting_that_a_tensor_can_have_is_read():
    assert scan(b"[" * 254 + b"]" * 254) == json.loads("[" * 254 + "]" * 254)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"[" + b"[]," * 10_000 + b"x]", id="empty lists"),
        pytest.param(b"[" + b'{"a":1},' * 10_000 + b"x]", id="objects"),
        pytest.param(b'["' + b"\\n" * 10_000, id="escapes"),
        pytest.param(b"[" + b"null," * 10_000, id="words"),
        pytest.param(b"[" + b'"",' * 10_000, id="strings"),
    ],
)
def test_the_exact_scanner_stops_after_so_many_steps(body):
    with pytest.raises(OutOfSteps):
        scan(body, most_steps=5_000)


def test_a_long_list_of_numbers_is_one_step():
    assert scan(b"[" + b"1, -2.5e3," * 10_000 + b"Inf]", most_steps=10)[-2:] == [-2500.0, math.inf]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(
            b"[" + b"[]," * 100_000 + b"x]",
            "The document is no strict JSON: Expecting value at character 300001",
            id="a word",
        ),
        pytest.param(
            b"[" + b"[]," * 100_000 + b'"\\ud800"]',
            "The document is no strict JSON: it has half a surrogate pair",
            id="half a pair",
        ),
        pytest.param(
            b"[" + b"[]," * 100_000 + b"1e999]",
            "The document is no strict JSON: the number is too big",
            id="a number beyond double",
        ),
        pytest.param(
            b"[" + b"[]," * 100_000 + b"[" * 100_000,
            "The document is no strict JSON: it is nested too deeply",
            id="deep nesting",
        ),
    ],
)
def test_a_body_that_is_too_long_to_be_explained_exactly_is_explained_roughly(body, message):
    with pytest.raises(JsonError) as raised:
        read(body)

    assert str(raised.value) == message


documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(documents)
def test_the_exact_scanner_agrees_with_the_fast_parser_on_json(document):
    body = json.dumps(document).encode()

    assert repr(scan(body)) == repr(json.loads(body))


numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
plain = st.recursive(
    numbers | st.none() | st.booleans(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text('ab\\"é', max_size=2), inner),
)


@given(plain)
def test_numbers_and_names_mean_what_rapidjson_takes_them_for(document):
    body = json.dumps(document).encode()

    assert outcome(read, body) == outcome(scan, body)


@given(plain, plain, st.text("ab", max_size=1))
def test_the_first_of_equal_names_counts_wherever_they_are(first, second, name):
    body = b'{"%s": %s, "a": {"b": %s, "b": %s}}' % (
        name.encode(),
        *(json.dumps(each).encode() for each in (first, second, first)),
    )

    assert outcome(read, body) == outcome(scan, body)


TOKENS = (
    b"""[ ] { } , : " 1 -0.5 1e100 1e999 NaN Inf null "a" \\ \\ud83d \\ude00 \0 \xef\xbb\xbf \xff"""
)
json_like = st.lists(st.sampled_from([b" ", *TOKENS.split(b" ")]), max_size=12).map(b"".join)


def outcome(reader, body):
    """What came of it: a value or a message."""
    try:
        return repr(reader(body))
    except JsonError as error:
        return str(error)


@given(json_like.filter(bool))
def test_the_fast_way_and_the_exact_one_are_never_told_apart(body):
    assert outcome(read, body) == outcome(scan, body)


@given(st.binary())
def test_whatever_bytes_come_either_a_value_or_a_json_error_results(body):
    try:
        read(body)
    except JsonError as error:
        assert str(error)
