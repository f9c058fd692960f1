"""The cases of h2spec, strict ones too, against the native transport."""

import subprocess
from xml.etree import ElementTree

import pytest

from model_server.api.grpc.endpoint import Listen
from model_server.api.grpc.native.endpoint import NativeEndpoint
from server.transport.grpc_programs import program
from server.transports import NAMES

# By the reason why h2spec sees something else than it expects; each is allowed by RFC 9113.
ELSEWHERE = {
    "the answer of this port to what is no gRPC has no body, so no DATA frame follows": {
        ("generic/2", "Sends a WINDOW_UPDATE frame on half-closed (remote) stream"),
        ("generic/2", "Sends a PRIORITY frame on half-closed (remote) stream"),
    },
    "bytes after a wrong preface are not read, so TCP closes by a reset": {
        ("http2/3.5", "Sends invalid connection preface"),
    },
    "streams that are answered at once are never too many at a time": {
        (
            "http2/5.1.2",
            "Sends HEADERS frames that causes their advertised concurrent stream limit to be"
            " exceeded",
        ),
    },
    "a stream that was answered before the wrong frame came is closed, and what comes late for a"
    " closed stream may be ignored": {
        ("http2/5.1", "closed: Sends a DATA frame after sending RST_STREAM frame"),
        ("http2/5.1", "closed: Sends a HEADERS frame after sending RST_STREAM frame"),
        (
            "http2/6.9.1",
            "Sends multiple WINDOW_UPDATE frames increasing the flow control window to above 2^31-1"
            " on a stream",
        ),
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


@pytest.mark.parametrize("transport", NAMES[1:])
def test_what_h2spec_sees_is_as_it_expects_or_allowed(transport, tmp_path):
    endpoint = NativeEndpoint(Listen(0))
    report = tmp_path / "report.xml"
    port = endpoint.start()
    try:
        command = [
            str(program("h2spec")),
            "--strict",
            "-o",
            "1",
            "-p",
            str(port),
            "-j",
            str(report),
        ]
        subprocess.run(command, capture_output=True, timeout=120)
    finally:
        endpoint.stop(1)
    cases = list(ElementTree.parse(report).iter("testcase"))
    differ = {
        (case.attrib["package"], case.attrib["classname"])
        for case in cases
        if any(case.find(kind) is not None for kind in ("failure", "error"))
    }

    assert len(cases) == 146
    assert differ - set().union(*ELSEWHERE.values()) == set()
