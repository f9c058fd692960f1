"""The cases of h2spec, strict ones too, against the native transport."""

import subprocess
from xml.etree import ElementTree

from server.conftest import model_config
from server.transport.grpc_programs import program
from server.transports import needs_extension

pytestmark = needs_extension
# A GET with a body that Python answers, so that what follows it in a case is mostly read before.
PATH = "/v1/models/default/metadata"
# By the reason why h2spec may see something else than it expects; RFC 9113 allows each.
ELSEWHERE = {
    "bytes after a wrong preface are not read, so TCP closes by a reset": {
        ("http2/3.5", "Sends invalid connection preface"),
    },
    "a stream that was answered before the wrong frame came is closed, and what comes late for a"
    " closed stream may be ignored": {
        ("http2/5.1", "closed: Sends a DATA frame after sending RST_STREAM frame"),
        ("http2/5.1", "closed: Sends a HEADERS frame after sending RST_STREAM frame"),
        ("http2/8.1", "Sends a second HEADERS frame without the END_STREAM flag"),
        (
            "http2/8.1.2.1",
            "Sends a HEADERS frame that contains a pseudo-header field as trailers",
        ),
        (
            "http2/8.1.2.6",
            'Sends a HEADERS frame with the "content-length" header field which does not equal the'
            " DATA frame payload length",
        ),
        (
            "http2/8.1.2.6",
            'Sends a HEADERS frame with the "content-length" header field which does not equal the'
            " sum of the multiple DATA frames payload length",
        ),
    },
}


def test_what_h2spec_sees_is_as_it_expects_or_allowed(started, model_folders, tmp_path):
    running = started(model_config(model_folders / "default"), transport="native")
    running.http.wait_until_ready()
    report = tmp_path / "report.xml"

    command = [str(program("h2spec")), "--strict", "-o", "1", "-P", PATH, "-j", str(report)]
    subprocess.run([*command, "-p", str(running.http.port)], capture_output=True, timeout=120)

    cases = list(ElementTree.parse(report).iter("testcase"))
    differ = {
        (case.attrib["package"], case.attrib["classname"])
        for case in cases
        if any(case.find(kind) is not None for kind in ("failure", "error"))
    }
    assert len(cases) == 146
    assert differ - set().union(*ELSEWHERE.values()) == set()
