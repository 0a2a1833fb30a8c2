"""ETags: weak, over the data only; a GET that knows them is answered without a body."""

import pytest

from api.graphql import AuditUnavailable
from tests.api.graphql.portal import Desk, Portal, identified, open_portal
from tests.api.graphql.test_requests import ME, SAY, WRITE

pytestmark = pytest.mark.anyio


def portal(desk: Desk | None = None) -> Portal:
    return open_portal(operations=(ME, SAY, WRITE, "{ absent }"), desk=desk)


async def test_a_get_may_be_kept_by_the_client_that_asks_again() -> None:
    response = await portal().get(documentId=identified(ME))
    assert response.headers["etag"].startswith('W/"')
    assert response.headers["cache-control"] == "private, no-cache"
    assert response.headers["vary"] == "authorization, accept"


@pytest.mark.parametrize("form", ["{}", '"other", {}', "*", '"a,b" , {} , W/"c"'])
async def test_a_get_that_knows_the_answer_gets_304_after_its_audit(form: str) -> None:
    asked = portal()
    first = await asked.get(documentId=identified(ME))
    asked.desk.steps.clear()
    again = await asked.get(form.format(first.headers["etag"]), documentId=identified(ME))
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert "content-length" not in again.headers
    assert again.headers["cache-control"] == "private, no-cache"
    assert asked.desk.steps == ["open", "me", "settle", "close"]


async def test_a_known_answer_is_503_when_its_audit_fails() -> None:
    known = (await portal().get(documentId=identified(ME))).headers["etag"]
    failing = portal(Desk(settle_error=AuditUnavailable()))
    assert (await failing.get(known, documentId=identified(ME))).status_code == 503


async def test_other_data_has_another_tag_and_is_sent() -> None:
    asked, document = portal(), identified(SAY)
    one = await asked.get(documentId=document, variables='{"text":"one"}')
    two = await asked.get(one.headers["etag"], documentId=document, variables='{"text":"two"}')
    assert (two.status_code, two.json()["data"]) == (200, {"echo": "two"})
    assert one.headers["etag"] != two.headers["etag"]


async def test_extensions_are_outside_the_tag() -> None:
    one = await portal().get(documentId=identified(ME))
    two = await portal(Desk(extensions={"position": "p-10"})).get(documentId=identified(ME))
    assert one.json()["extensions"] != two.json()["extensions"]
    assert one.headers["etag"] == two.headers["etag"]


async def test_a_post_carries_the_tag_and_is_always_answered_and_never_stored() -> None:
    asked = portal()
    tag = (await asked.get(documentId=identified(ME))).headers["etag"]
    response = await asked.raw(b'{"query":"{me{name}}"}', if_none_match=tag)
    assert (response.status_code, response.headers["etag"]) == (200, tag)
    assert response.headers["cache-control"] == "no-store"


async def test_a_mutation_and_an_answer_with_errors_carry_no_tag() -> None:
    asked = portal()
    for response in (
        await asked.post(WRITE),
        await asked.get(documentId=identified("{ absent }")),
        await asked.get("*", documentId=identified("{ absent }")),
        await asked.get(documentId="sha256:" + "0" * 64),
    ):
        assert response.status_code != 304
        assert "etag" not in response.headers
        assert response.headers["cache-control"] == "no-store"
