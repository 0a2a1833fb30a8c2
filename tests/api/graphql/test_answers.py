"""What an answer may contain: no value of a person in an error or a log, nothing before audit."""

import asyncio
import logging

import httpx2
import pytest
from structlog.testing import capture_logs

from api.graphql import AuditUnavailable, Limits
from domain.kernel.refusal import Busy, NotFound
from tests.api.graphql.portal import CANARY, Desk, code, open_portal
from tests.api.graphql.test_requests import ME, RESPONSE, SAY

pytestmark = pytest.mark.anyio


def error(response: httpx2.Response) -> dict[str, object]:
    entry = response.json()["errors"][0]
    assert isinstance(entry, dict)
    return entry


async def test_the_context_is_settled_after_execution_and_closed_at_the_end() -> None:
    portal = open_portal()
    await portal.post(ME)
    assert portal.desk.steps == ["open", "me", "settle", "close"]


async def test_no_byte_leaves_before_the_audit_is_committed() -> None:
    portal, order = open_portal(), []
    settle = portal.desk.settle

    async def slow_settle() -> object:
        for _ in range(20):
            await asyncio.sleep(0)
        order.append("settled")
        return await settle()

    portal.desk.settle = slow_settle  # type: ignore[method-assign,assignment]

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b'{"query":"{me{name}}"}', "more_body": False}

    async def send(message: dict[str, object]) -> None:
        order.append(str(message["type"]))

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "headers": headers}
    await portal.endpoint(scope, receive, send)  # type: ignore[arg-type]
    assert order == ["settled", "http.response.start", "http.response.body"]


@pytest.mark.parametrize("accept", [RESPONSE, "application/json"])
async def test_a_failing_audit_is_503_without_any_data(accept: str) -> None:
    portal = open_portal(desk=Desk(settle_error=AuditUnavailable(3)))
    response = await portal.post(SAY, accept, variables={"text": CANARY})
    assert (response.status_code, code(response)) == (503, "AUDIT_UNAVAILABLE")
    assert response.headers["retry-after"] == "3"
    assert "data" not in response.json()
    assert CANARY not in response.text
    assert portal.desk.steps == ["open", "settle", "close"]


async def test_any_other_failure_to_settle_gives_no_data_either() -> None:
    portal = open_portal(desk=Desk(settle_error=RuntimeError(CANARY)))
    with capture_logs() as logs:
        response = await portal.post(SAY, variables={"text": CANARY})
    assert (response.status_code, code(response)) == (500, "INTERNAL")
    assert CANARY not in response.text + str(logs)


async def test_an_audit_that_fails_below_a_resolver_ends_the_whole_answer() -> None:
    response = await open_portal().post("{ me { name } unaudited }")
    assert response.status_code == 503
    assert response.headers["retry-after"] == "7"
    assert "Ada" not in response.text


async def test_an_answer_that_cannot_be_encoded_is_a_masked_bug_and_still_settles() -> None:
    portal = open_portal(desk=Desk(extensions={"position": object()}))
    response = await portal.post(ME)
    assert (response.status_code, code(response)) == (500, "INTERNAL")
    assert "Ada" not in response.text
    assert portal.desk.steps == ["open", "me", "settle", "close"]


async def test_data_that_cannot_be_encoded_is_a_masked_bug_and_still_settles() -> None:
    portal = open_portal()
    with capture_logs() as logs:
        response = await portal.post("{ halfALetter }")
    assert (response.status_code, code(response)) == (500, "INTERNAL")
    assert logs[0]["error_class"] == "UnicodeEncodeError"
    assert CANARY not in response.text + str(logs)
    assert portal.desk.steps == ["open", "settle", "close"]


async def test_an_argument_refused_below_the_variables_is_a_typed_field_error() -> None:
    response = await open_portal().post(
        "query Sized($size: Int) { sized(size: $size) }", variables={"size": None}
    )
    assert response.status_code == 200
    assert code(response) == "ARGUMENT_INVALID"
    assert error(response)["path"] == ["sized"]


async def test_a_context_without_extensions_leaves_those_of_the_engine() -> None:
    response = await open_portal(desk=Desk(extensions={})).post(ME)
    assert set(response.json()["extensions"]) == {"cost"}


async def test_a_context_that_cannot_close_is_logged_and_the_answer_stands() -> None:
    portal = open_portal(desk=Desk(close_error=RuntimeError(CANARY)))
    with capture_logs() as logs:
        assert (await portal.post(ME)).status_code == 200
    assert logs[0]["error_class"] == "RuntimeError"
    assert CANARY not in str(logs)


async def test_a_refusal_is_typed_and_the_rest_of_the_data_is_answered() -> None:
    response = await open_portal().post("{ me { name } absent busy }")
    assert response.status_code == 200
    assert response.json()["data"] == {"me": {"name": "Ada"}, "absent": None, "busy": None}
    absent, busy = response.json()["errors"]
    assert absent == {
        "message": "We could not find that, or you may not see it.",
        "locations": [{"line": 1, "column": 15}],
        "path": ["absent"],
        "extensions": {
            "code": NotFound.code,
            "retryable": False,
            "correlationId": "correlation-1",
        },
    }
    assert (busy["extensions"]["code"], busy["extensions"]["retryable"]) == (Busy.code, True)


async def test_a_bug_is_masked_outside_and_logged_without_values(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    portal = open_portal()
    query = "query Look($text: String!) { bug(text: $text) }"
    with capture_logs() as logs:
        response = await portal.post(query, variables={"text": CANARY})
    assert response.status_code == 200
    assert response.json()["data"] == {"bug": None}
    assert error(response)["message"] == "Something went wrong. Quote this id to support."
    assert error(response)["extensions"] == {
        "code": "INTERNAL",
        "retryable": False,
        "correlationId": "correlation-1",
    }
    (entry,) = logs
    assert set(entry) == {
        "event",
        "log_level",
        "error_class",
        "correlation",
        "operation",
        "document_hash",
        "trace",
    }
    assert (entry["operation"], entry["error_class"]) == ("Look", "ValueError")
    assert any("Query.bug:" in frame for frame in entry["trace"])
    spoken = response.text + str(logs) + caplog.text + "".join(capfd.readouterr())
    assert CANARY not in spoken


async def test_the_error_log_of_strawberry_stays_silent(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    portal = open_portal()
    with capture_logs():
        for query in ("{ bug }", "{ strict_bug }", "{ strictBug a: strictBug }", "{ notANumber }"):
            await portal.post(query)
    assert [record.name for record in caplog.records if record.name.startswith("strawberry")] == []
    assert CANARY not in caplog.text


async def test_data_that_is_null_as_a_whole_is_200_with_its_errors() -> None:
    with capture_logs():
        response = await open_portal().post("{ strictBug }")
    assert response.status_code == 200
    assert response.json()["data"] is None
    assert CANARY not in response.text


async def test_a_value_that_does_not_fit_its_output_type_is_not_echoed() -> None:
    with capture_logs() as logs:
        response = await open_portal().post("{ notANumber }")
    assert code(response) == "INTERNAL"
    assert CANARY not in response.text + str(logs)


NOTE = "query Note($notes: [NoteInput!]!) { note(notes: $notes) }"
NOTE_AND_DAY = (
    "query Note($notes: [NoteInput!]!, $day: Date!) { note(notes: $notes) on(day: $day) }"
)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "Variable '$notes': expected a value of type '[NoteInput!]!'."),
        ({"notes": None}, "Variable '$notes': expected a value of type '[NoteInput!]!'."),
        (
            {"notes": [{"text": "a", "stars": CANARY}]},
            "Variable '$notes[0].stars': expected a value of type 'Int!'.",
        ),
        (
            {"notes": [{"text": "a", "stars": 1}, {"text": "a", "stars": 1, "tags": [1, CANARY]}]},
            "Variable '$notes[1].tags[1]': expected a value of type 'Int!'.",
        ),
        (
            {"notes": [{"text": CANARY}]},
            "Variable '$notes[0]': expected a value of type 'NoteInput!'. Missing: 'stars'.",
        ),
        (
            {"notes": [{"text": CANARY, "stars": 1, CANARY: CANARY}]},
            "Variable '$notes[0]': expected a value of type 'NoteInput!'."
            " It has a field unknown to the type.",
        ),
        ({"notes": CANARY}, "Variable '$notes': expected a value of type '[NoteInput!]!'."),
        ({"notes": [], "day": CANARY}, "Variable '$day': expected a value of type 'Date!'."),
    ],
)
async def test_a_wrong_variable_is_named_by_path_and_type_only(
    variables: dict[str, object], message: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    portal = open_portal()
    query = NOTE_AND_DAY if "day" in variables else NOTE
    with capture_logs() as logs:
        response = await portal.post(query, variables=variables)
        legacy = await portal.post(query, "application/json", variables=variables)
    assert (response.status_code, code(response)) == (400, "VARIABLE_INVALID")
    assert legacy.status_code == 200
    assert error(response)["message"] == message
    assert "data" not in response.json()
    assert "settle" not in portal.desk.steps
    assert CANARY not in response.text + str(logs) + caplog.text


async def test_many_wrong_variables_give_a_bounded_answer() -> None:
    notes = [{"text": 1, "stars": CANARY} for _ in range(20_000)]
    response = await open_portal().post(NOTE, variables={"notes": notes})
    assert len(response.json()["errors"]) == 20


async def test_the_position_asked_for_is_waited_for_before_anything_runs() -> None:
    portal = open_portal()
    response = await portal.post(ME, extensions={"position": "p-8"})
    assert response.status_code == 200
    assert portal.desk.steps == ["open", "wait p-8", "me", "settle", "close"]


async def test_a_position_that_is_not_reached_is_503_and_one_not_ours_400() -> None:
    portal = open_portal()
    late = await portal.post(ME, extensions={"position": "too-new"})
    assert (late.status_code, code(late)) == (503, "POSITION_TIMEOUT")
    assert late.headers["retry-after"] == "1"
    forged = await portal.post(ME, extensions={"position": CANARY})
    assert (forged.status_code, code(forged)) == (400, "POSITION_INVALID")
    assert CANARY not in forged.text
    assert "me" not in portal.desk.steps


async def test_an_operation_over_its_time_is_cancelled_and_503() -> None:
    portal = open_portal(Limits(seconds=0.02))
    response = await portal.post("{ me { name } slow a: slow }")
    assert (response.status_code, code(response)) == (503, "TIMEOUT")
    assert response.headers["retry-after"] == "2"
    assert "data" not in response.json()
    assert portal.desk.steps == ["open", "me", "slow ended", "slow ended", "close"]


async def test_an_operation_within_its_time_is_answered() -> None:
    portal = open_portal(Limits(seconds=5))
    portal.desk.hold.set()
    response = await portal.post("{ slow }")
    assert response.json()["data"] == {"slow": "done"}


async def test_a_context_that_refuses_or_breaks_gives_a_typed_answer() -> None:
    portal = open_portal()

    async def answer_when(failure: Exception) -> httpx2.Response:
        async def open_context(*_: object) -> Desk:
            raise failure

        portal.endpoint._open_context = open_context
        with capture_logs() as logs:
            response = await portal.post(ME)
        assert CANARY not in response.text + str(logs)
        return response

    assert (await answer_when(NotFound())).status_code == 403
    assert (await answer_when(AuditUnavailable())).status_code == 503
    broken = await answer_when(RuntimeError(CANARY))
    assert (broken.status_code, code(broken)) == (500, "INTERNAL")
