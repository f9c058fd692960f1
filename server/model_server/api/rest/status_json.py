"""The states of a model's versions in protobuf's JSON of GetModelStatusResponse."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from model_server.core.errors import Code, ServingError
from model_server.core.servable import ServableStatus


def status(versions: Iterable[ServableStatus]) -> str:
    """The answer's text; versions stand in the order given."""
    return _text({"model_version_status": _entries(versions)})


def models(states: Mapping[str, Iterable[ServableStatus]]) -> str:
    """All models, for which TensorFlow Serving has no answer."""
    listed = [
        {"name": name, "model_version_status": _entries(versions)}
        for name, versions in states.items()
    ]
    return _text({"models": listed})


def _entries(versions: Iterable[ServableStatus]) -> list[dict[str, Any]]:
    return [
        {
            "version": str(version.id.version),
            "state": version.state.name,
            "status": _status(version.error),
        }
        for version in versions
    ]


def _text(value: dict[str, Any]) -> str:
    # protobuf's printer indents by one space and ends with a line break.
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def _status(error: ServingError | None) -> dict[str, str]:
    if error is None:
        return {"error_code": Code.OK.name, "error_message": ""}
    return {"error_code": error.code.name, "error_message": error.message}
