"""The audit log tells who wrote what."""

import json
from pathlib import Path

from testcluster.audit import Write, writes

EVENT = {
    "verb": "patch",
    "userAgent": "modelfleet/0.1",
    "objectRef": {
        "resource": "modeldeployments",
        "subresource": "status",
        "namespace": "default",
        "name": "digits",
    },
    "responseStatus": {"code": 200},
}


def test_a_line_is_a_write(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    log.write_text(json.dumps(EVENT) + "\n")

    assert writes(log) == [
        Write("modelfleet/0.1", "patch", "modeldeployments/status", "default", "digits", 200)
    ]


def test_before_the_first_write_there_is_none(tmp_path: Path) -> None:
    assert writes(tmp_path / "audit.log") == []
