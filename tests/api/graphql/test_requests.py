"""Which HTTP requests are read, and with which status the others are refused."""

import httpx2
import pytest

from api.graphql import Limits
from tests.api.graphql.portal import RESPONSE, URL, code, identified, open_portal

pytestmark = pytest.mark.anyio

JSON = "application/json"
ME = "query Me { me { name } }"
SAY = "query Say($text: String!) { echo(text: $text) }"
WRITE = 'mutation Write { write(text: "x") }'


async def test_a_query_is_answered_with_data_position_and_careful_headers() -> None:
    response = await open_portal().post(ME)
    assert response.status_code == 200
    assert response.json() == {
        "data": {"me": {"name": "Ada"}},
        "extensions": {"position": "p-9", "cost": {"requested": 1, "limit": 6000}},
    }
    assert response.headers["content-type"] == f"{RESPONSE}; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-length"] == str(len(response.content))


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("application/graphql-response+json, */*", RESPONSE),
        ("application/json, application/graphql-response+json", RESPONSE),
        ("application/json", "application/json"),
        ("application/json;q=0.9, application/graphql-response+json", RESPONSE),
        ("application/json, application/graphql-response+json;q=0.5", "application/json"),
        ("application/json, text/plain, */*", "application/json"),
        ("application/graphql-response+json; charset=utf-8", RESPONSE),
        ("application/graphql-response+json;q=0, */*", "application/json"),
    ],
)
async def test_the_answer_has_the_media_type_asked_for(accept: str, media_type: str) -> None:
    response = await open_portal().post(ME, accept=accept)
    assert response.status_code == 200
    assert response.headers["content-type"] == f"{media_type}; charset=utf-8"


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "application/json;q=0",
        "application/json;q=x",
        "application/json; charset=utf-16",
    ],
)
async def test_an_answer_that_is_not_acceptable_is_406(accept: str) -> None:
    portal = open_portal()
    response = await portal.post(ME, accept=accept)
    assert response.status_code == 406
    assert portal.desk.steps == []


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/graphql",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=latin-1",
        "application/json; charset=utf-8; charset=utf-16",
        "application/json; profile=x",
        "application/jsonx",
    ],
)
async def test_another_content_type_is_415(content_type: str) -> None:
    response = await open_portal().raw(b'{"query":"{me{name}}"}', content_type=content_type)
    assert response.status_code == 415


@pytest.mark.parametrize("content_type", ["Application/JSON", 'application/json;charset="UTF-8"'])
async def test_json_in_utf8_is_read_however_it_is_spelled(content_type: str) -> None:
    response = await open_portal().raw(b'{"query":"{me{name}}"}', content_type=content_type)
    assert response.status_code == 200


async def test_a_compressed_body_is_415() -> None:
    response = await open_portal().raw(b'{"query":"{me{name}}"}', content_encoding="gzip")
    assert response.status_code == 415


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"NONSENSE",
        b'{"query":',
        b'"{me{name}}"',
        b"null",
        b'{"query":"{me{name}}","query":"{me{name}}"}',
        b'{"query":"{me{name}}","\\u0071uery":"{me{name}}"}',
        b'{"query":"{me{name}}","variables":{"a":1,"a":2}}',
        b'{"query":"{me{name}}","variables":{"a":[{"b":1,"b":1}]}}',
        b'{"query":"{me{name}}","variables":{"a":"\\ud800"}}',
        b'{"query":"{me{name}}","variables":{"\\udc00x":1}}',
        b'{"query":"{me{name}}","variables":{"a":"\xed\xa0\x80"}}',
        b'{"query":"{me{name}}","variables":{"a":"\xff"}}',
        b'{"query":"{me{name}}","variables":{"a":NaN}}',
        b'{"query":"{me{name}}","variables":{"a":Infinity}}',
        b'{"query":"{me{name}}","variables":{"a":1e999}}',
        b'{"query":"{me{name}}","variables":{"a":' + b"9" * 5000 + b"}}",
        b'{"query":"{me{name}}","variables":' + b'{"a":' * 5000 + b"1" + b"}" * 5001,
        b'\xef\xbb\xbf{"query":"{me{name}}"}',
        b'{"query":"{me{name}}"} {}',
        b'{"qeury":"{me{name}}"}',
        b'{"query":null}',
        b'{"query":7}',
        b'{"query":["{me{name}}"]}',
        b'{"query":"{me{name}}","variables":[7]}',
        b'{"query":"{me{name}}","variables":"{}"}',
        b'{"query":"{me{name}}","operationName":7}',
        b'{"query":"{me{name}}","extensions":[]}',
        b'{"query":"{me{name}}","extensions":{"position":7}}',
        b'{"documentId":"sha256:xyz"}',
        b'{"documentId":7}',
    ],
)
@pytest.mark.parametrize("accept", [RESPONSE, "application/json"])
async def test_a_body_that_can_be_read_in_two_ways_or_none_is_400(body: bytes, accept: str) -> None:
    portal = open_portal()
    response = await portal.raw(body, accept=accept)
    assert (response.status_code, code(response)) == (400, "REQUEST_MALFORMED")
    assert "data" not in response.json()
    assert portal.desk.steps == []


async def test_a_batch_is_refused() -> None:
    response = await open_portal().raw(b'[{"query":"{me{name}}"}]')
    assert (response.status_code, code(response)) == (400, "BATCH_REFUSED")


async def test_unknown_members_are_ignored_and_null_is_the_same_as_absent() -> None:
    response = await open_portal().post(ME, variables=None, extensions=None, doc_id="7")
    assert response.status_code == 200


async def test_a_document_and_a_document_id_together_are_refused() -> None:
    response = await open_portal(operations=(ME,)).post(ME, documentId=identified(ME))
    assert response.status_code == 400


def padded(size: int) -> bytes:
    body = b'{"query":"{me{name}}","pad":""}'
    return body.replace(b'""', b'"' + b"x" * (size - len(body)) + b'"')


async def test_a_body_of_the_limit_is_read_and_one_byte_more_is_413() -> None:
    portal = open_portal()
    assert (await portal.raw(padded(1024 * 1024))).status_code == 200
    refused = await portal.raw(padded(1024 * 1024 + 1))
    assert (refused.status_code, code(refused)) == (413, "BODY_TOO_LARGE")


async def test_a_body_without_a_length_is_counted_as_it_arrives() -> None:
    portal, received = open_portal(Limits(body_bytes=100)), []

    async def receive() -> dict[str, object]:
        received.append(1)
        return {"type": "http.request", "body": b" " * 30, "more_body": True}

    sent: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "headers": [(b"content-type", b"application/json")],
    }
    await portal.endpoint(scope, receive, send)  # type: ignore[arg-type]
    assert sent[0]["status"] == 413
    assert len(received) == 4


async def test_a_body_that_does_not_arrive_in_time_is_408() -> None:
    portal = open_portal(Limits(seconds=0.01))

    async def receive() -> dict[str, object]:
        await portal.desk.hold.wait()
        return {}

    sent: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "headers": [(b"content-type", b"application/json")],
    }
    await portal.endpoint(scope, receive, send)  # type: ignore[arg-type]
    assert sent[0]["status"] == 408


async def test_a_client_that_leaves_while_sending_gets_no_answer() -> None:
    portal = open_portal()

    async def receive() -> dict[str, object]:
        return {"type": "http.disconnect"}

    async def send(message: dict[str, object]) -> None:
        raise AssertionError(message)

    scope = {
        "type": "http",
        "method": "POST",
        "headers": [(b"content-type", b"application/json")],
    }
    await portal.endpoint(scope, receive, send)  # type: ignore[arg-type]
    assert portal.desk.steps == []


@pytest.mark.parametrize("length", ["1048577", "9" * 40])
async def test_a_declared_length_over_the_limit_is_413_before_reading(length: str) -> None:
    response = await open_portal().raw(b"{}", content_length=length)
    assert response.status_code == 413


@pytest.mark.parametrize("length", ["-1", "1_0", "0x10", "\u0661"])
async def test_a_length_that_is_no_number_is_400(length: str) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", length.encode())]
    request = httpx2.Request("POST", URL, content=b"{}", headers=headers)
    request.headers = httpx2.Headers(headers)
    assert (await open_portal().send(request)).status_code == 400


@pytest.mark.parametrize("name", ["authorization", "content-type", "content-length", "host"])
async def test_a_header_that_may_come_once_is_refused_twice(name: str) -> None:
    request = httpx2.Request("POST", URL, json={"query": ME})
    value = request.headers.get(name, "Bearer x")
    request.headers = httpx2.Headers([*request.headers.multi_items(), (name, value), (name, value)])
    response = await open_portal().send(request)
    assert (response.status_code, code(response)) == (400, "HEADER_REPEATED")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
async def test_other_methods_are_405(method: str) -> None:
    response = await open_portal().send(httpx2.Request(method, URL))
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, POST"


async def test_a_stranger_is_401_with_a_challenge_and_nothing_runs() -> None:
    portal = open_portal()
    response = await portal.raw(b'{"query":"{me{name}}"}', x_stranger="yes")
    assert (response.status_code, code(response)) == (401, "UNAUTHENTICATED")
    assert response.headers["www-authenticate"] == "Bearer"
    assert "token_missing" not in response.text
    assert portal.desk.steps == []


async def test_get_executes_a_trusted_query_with_variables() -> None:
    portal = open_portal(operations=(SAY,))
    response = await portal.get(documentId=identified(SAY), variables='{"text":"hello"}')
    assert response.status_code == 200
    assert response.json()["data"] == {"echo": "hello"}


async def test_get_of_a_document_text_is_405() -> None:
    response = await open_portal(operations=(ME,)).get(query=ME)
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"


async def test_get_of_the_text_of_a_query_is_for_development_only() -> None:
    portal = open_portal(development=True)
    response = await portal.get(query=SAY, variables='{"text":"hello"}')
    assert (response.status_code, response.json()["data"]) == (200, {"echo": "hello"})
    assert (await portal.get(query=WRITE)).status_code == 405
    assert (await portal.get()).status_code == 400
    assert "write x" not in portal.desk.steps


async def test_get_never_executes_a_mutation() -> None:
    portal = open_portal(operations=(WRITE,))
    response = await portal.get(documentId=identified(WRITE))
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert portal.desk.steps == ["open", "close"]


async def test_get_parameters_are_as_strict_as_a_body() -> None:
    portal = open_portal(operations=(SAY,))
    known = identified(SAY)
    twice = httpx2.Request("GET", f"{URL}?documentId={known}&documentId={known}")
    assert (await portal.send(twice)).status_code == 400
    repeated = '{"text":"a","text":"b"}'
    assert (await portal.get(documentId=known, variables=repeated)).status_code == 400
    bad = httpx2.Request("GET", f"{URL}?documentId={known}&variables=%ff")
    assert (await portal.send(bad)).status_code == 400
    assert (await portal.get(documentId=known, variables="x" * 8192)).status_code == 414


async def test_an_empty_operation_name_in_get_is_no_name() -> None:
    response = await open_portal(operations=(ME,)).get(documentId=identified(ME), operationName="")
    assert response.status_code == 200


async def test_a_websocket_is_not_served_here() -> None:
    with pytest.raises(ValueError, match="HTTP only"):
        await open_portal().endpoint({"type": "websocket"}, None, None)  # type: ignore[arg-type]
