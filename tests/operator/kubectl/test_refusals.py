"""What an API server's refusals mean to a user."""

import json

import pytest

from kubectl_modelfleet.cluster.errors import Failed, Forbidden, NotThere, Unreachable
from kubectl_modelfleet.cluster.requests import refusal


def told(message, **details):
    return json.dumps({"kind": "Status", "message": message, "details": details})


@pytest.mark.parametrize(
    ("status", "body", "kind", "says"),
    [
        (401, told("Unauthorized"), Failed, "Unauthorized"),
        (403, told("may not"), Forbidden, "may not"),
        (404, told("not found", name="m"), NotThere, "not found"),
        (409, told("conflict"), Failed, "the API server refuses (HTTP 409): conflict"),
        (429, told("later"), Unreachable, "the API server cannot answer now: later"),
        (503, "<html>\x1b[2Jdown</html>", Unreachable, "cannot answer now: <html> [2Jdown</html>"),
        (500, "", Unreachable, "cannot answer now: HTTP 500"),
        (422, "[1]", Failed, "(HTTP 422): [1]"),
    ],
)
def test_each_refusal_has_its_kind_and_the_servers_words(status, body, kind, says):
    error = refusal(status, body)

    assert type(error) is kind
    assert says in str(error)


@pytest.mark.parametrize(
    ("body", "knows_kind"),
    [
        (told('modeldeployments "m" not found', name="m"), True),
        ("404 page not found\n", False),
        (told("the server could not find the requested resource"), False),
    ],
)
def test_a_missing_object_is_told_from_a_missing_kind(body, knows_kind):
    error = refusal(404, body)

    assert isinstance(error, NotThere)
    assert error.knows_kind is knows_kind
