"""The states of a model's versions in protobuf's JSON of GetModelStatusResponse."""

import json
from collections.abc import Iterable

from model_server.core.errors import Code, ServingError
from model_server.core.servable import ServableStatus


def status(versions: Iterable[ServableStatus]) -> str:
    """The answer's text; versions stand in the order given."""
    entries = [
        {
            "version": str(version.id.version),
            "state": version.state.name,
            "status": _status(version.error),
        }
        for version in versions
    ]
    # protobuf's printer indents by one space and ends with a line break.
    return json.dumps({"model_version_status": entries}, indent=1, ensure_ascii=False) + "\n"


def _status(error: ServingError | None) -> dict[str, str]:
    if error is None:
        return {"error_code": Code.OK.name, "error_message": ""}
    return {"error_code": error.code.name, "error_message": error.message}
