"""A real Prometheus is asked, alone and behind a proxy; what goes wrong is told in words."""

import asyncio
import ssl

import aiohttp
import pytest
from aiohttp import web

from model_operator.prometheus.source import Prometheus
from model_operator.settings import PrometheusSettings
from prometheus_wire import listening
from testcluster.certificates import Authority, Holder


async def ask(query, url, **settings):
    async with aiohttp.ClientSession() as session:
        source = Prometheus(session, PrometheusSettings(url, **settings))
        return await source.ask("shop", query)


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("sum(node_load)", 499500),
        ("0.25", 0.25),
        ('label_replace(vector(3), "a", "${1}", "b", "(.*)")', 3),
    ],
)
async def test_one_number_is_the_answer(knowing, query, value):
    assert (await ask(query, knowing.url)).value == value


@pytest.mark.parametrize(
    ("query", "words"),
    [
        pytest.param("absent_metric", "no time series matches", id="empty"),
        pytest.param("vector(0) / 0", "NaN", id="not a number"),
        pytest.param("vector(1) / 0", "division by 0", id="without end"),
        pytest.param(
            'vector(1) or label_replace(vector(2), "a", "b", "", "")', "2 time series", id="several"
        ),
        pytest.param("up[5m]", "gives a matrix", id="a range"),
        pytest.param('"seven"', "gives a string", id="a text"),
        pytest.param(
            "sum(up", 'the query is broken: invalid parameter "query": 1:7: parse error', id="400"
        ),
        pytest.param("up * on () node_load", "many-to-many matching not allowed", id="422"),
        pytest.param('{__name__=~".+"}', "more than 64 KiB", id="everything"),
    ],
)
async def test_what_is_no_number_is_told_with_the_words_of_prometheus(knowing, query, words):
    answer = await ask(query, knowing.url)

    assert answer.value is None
    assert words in answer.trouble


async def test_nobody_at_the_address_is_told():
    answer = await ask("up", "http://127.0.0.1:1")

    assert (answer.value, answer.trouble) == (
        None,
        "Prometheus cannot be reached: Connection refused",
    )


async def test_the_log_tells_a_failure_with_the_address_once(caplog):
    gone = PrometheusSettings("http://127.0.0.1:1")
    async with aiohttp.ClientSession() as session:
        source = Prometheus(session, gone)
        for _ in range(3):
            await source.ask("shop", "up")

    [line] = caplog.messages
    assert line.startswith("no answer from http://127.0.0.1:1: ")


async def test_an_unknown_name_is_told():
    answer = await ask("up", "http://prometheus.invalid")

    assert answer.trouble == "Prometheus cannot be reached: its name is not known"


async def test_one_that_is_too_slow_is_not_waited_for():
    async def never(_):
        await asyncio.Event().wait()

    async with listening(never) as url:
        answer = await ask("up", url, timeout_seconds=0.2)

    assert (answer.value, answer.trouble) == (None, "Prometheus did not answer within 0.2 s")


async def test_one_that_ends_in_the_midst_is_told():
    async def broken(request):
        request.transport.abort()
        return web.Response()

    async with listening(broken) as url:
        assert (await ask("up", url)).trouble == "Prometheus broke off"


async def test_a_redirection_is_not_followed():
    async def elsewhere(_):
        raise web.HTTPFound("http://127.0.0.1:1/")

    async with listening(elsewhere) as url:
        assert (await ask("up", url)).trouble == "Prometheus answered HTTP 302"


@pytest.fixture
def identity(tmp_path):
    """A certificate for loopback and the authority that signed it."""
    authority = Authority(tmp_path)
    return authority, authority.issue("proxy", Holder("proxy", addresses=("127.0.0.1",)))


@pytest.fixture
async def proxy(knowing, identity):
    """Before the real one, a proxy with TLS that wants the token `s3cret` and a namespace."""

    async def forward(request):
        if request.headers.get("Authorization") != "Bearer s3cret":
            return web.Response(status=401)
        asked = {key: value for key, value in request.query.items() if key != "tenant"}
        assert request.query.get("tenant") == "shop"
        url = f"{knowing.url}{request.path}"
        async with aiohttp.ClientSession() as session, session.get(url, params=asked) as answer:
            return web.Response(status=answer.status, body=await answer.read())

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(identity[1].certificate, identity[1].key)
    async with listening(forward, context) as url:
        yield url


async def test_a_proxy_gets_the_token_and_the_namespace_over_tls(proxy, identity, tmp_path):
    token = tmp_path / "token"
    chosen = {
        "ca_file": identity[0].certificate,
        "token_file": token,
        "namespace_parameter": "tenant",
    }

    token.write_text("old")
    before = await ask("sum(up)", proxy, **chosen)
    token.write_text("s3cret\n")
    after = await ask("sum(up)", proxy, **chosen)

    assert "refused the operator (HTTP 401)" in before.trouble
    assert after.value == 1


async def test_a_certificate_of_an_unknown_authority_is_refused(proxy):
    assert "TLS certificate" in (await ask("up", proxy)).trouble


@pytest.mark.parametrize("content", [None, b"two\nlines", b"\xff"])
async def test_a_token_that_cannot_be_read_is_told_and_not_sent(knowing, tmp_path, content):
    token = tmp_path / "token"
    if content is not None:
        token.write_bytes(content)

    answer = await ask("up", knowing.url, token_file=token)

    assert answer.trouble == "the CA or the token for Prometheus cannot be read"


async def test_a_ca_that_is_none_is_told(tmp_path):
    (tmp_path / "ca.crt").write_text("none")

    answer = await ask("up", "https://127.0.0.1:1", ca_file=tmp_path / "ca.crt")

    assert answer.trouble == "the CA or the token for Prometheus cannot be read"
