"""Limits, validation and the registry: one over and one under, once per document."""

import httpx2
import msgspec
import pytest
from graphql import get_introspection_query

from api.graphql import Limits
from api.graphql.registry import OperationRegistry
from tests.api.graphql.portal import CANARY, SCHEMA, code, identified, open_portal
from tests.api.graphql.test_requests import ME, RESPONSE, SAY, WRITE

pytestmark = pytest.mark.anyio


def deep(levels: int) -> str:
    """`me` is level 1, its name the last."""
    return "{ me " + "{ friend " * (levels - 2) + "{ name }" + " }" * (levels - 2) + " }"


def aliased(count: int) -> str:
    return "{ " + " ".join(f"a{number}: me {{ name }}" for number in range(count)) + " }"


def directed(count: int) -> str:
    return "{ " + "... @include(if: true) { " * count + "me { name }" + " }" * (count + 1)


def named(count: int) -> str:
    """Braces, the field and its selection, the end: six tokens and one for each repeated name."""
    return "{ me { " + "name " * count + "} }"


def tagged(count: int) -> str:
    """21 tokens and one for each tag."""
    return '{ note(notes: [{text: "", stars: 1, tags: [' + "1 " * count + "]}]) }"


def broad(count: int) -> str:
    """One selection, and 29 others in each branch of twenty aliases or fewer."""
    branches, rest = divmod(count, 30)
    texts = [f"a{number}: me {{ {'name ' * 29} }}" for number in range(branches)]
    return "{ " + " ".join(texts) + " __typename" * rest + " }"


def fragments_doubling(levels: int) -> str:
    """2 ** levels selections from a short document, without one alias."""
    text = "{ me { ...F0 } } "
    for level in range(levels):
        following = f"...F{level + 1} ...F{level + 1}" if level + 1 < levels else "name name"
        text += f"fragment F{level} on Person {{ {following} }} "
    return text


async def refused(query: str, limits: Limits, name: str | None = None) -> bool:
    response = await open_portal(limits).post(query, operationName=name)
    if response.status_code == 200:
        return False
    assert (response.status_code, code(response)) == (400, "LIMIT_EXCEEDED"), response.text
    return True


@pytest.mark.parametrize(
    ("under", "over", "limits"),
    [
        (deep(12), deep(13), Limits()),
        (aliased(30), aliased(31), Limits()),
        (directed(50), directed(51), Limits()),
        (tagged(1979), tagged(1980), Limits()),
        (broad(600), broad(601), Limits(selections=600)),
        (named(30), named(31), Limits()),
        (deep(6), deep(7), Limits(cost=5)),
        (ME + " " * (100 - len(ME)), ME + " " * (101 - len(ME)), Limits(document_bytes=100)),
    ],
    ids=["depth", "aliases", "directives", "tokens", "selections", "repeats", "cost", "bytes"],
)
async def test_a_limit_is_met_but_not_passed(under: str, over: str, limits: Limits) -> None:
    assert not await refused(under, limits)
    assert await refused(over, limits)


async def test_fragments_count_where_they_are_spread() -> None:
    chain = "".join(
        f"fragment P{level} on Person {{ friend {{ ...P{level + 1} }} }} " for level in range(10)
    )
    assert not await refused(
        "{ me { ...P0 } } " + chain + "fragment P10 on Person { name }", Limits()
    )
    longer = "fragment P10 on Person { friend { name } }"
    assert await refused("{ me { ...P0 } } " + chain + longer, Limits())
    four = "fragment A on Query { a: me { name } b: me { name } c: me { name } d: me { name } } "
    assert not await refused("{ ...A ...A ...A ...A ...A ...A ...A } " + four, Limits())
    assert await refused("{ ...A ...A ...A ...A ...A ...A ...A ...A } " + four, Limits())


async def test_doubling_and_cyclic_fragments_end_at_the_limit() -> None:
    assert not await refused(fragments_doubling(4), Limits())
    assert await refused(fragments_doubling(60), Limits())
    assert await refused("{ me { ...A } } fragment A on Person { ...A }", Limits())


async def test_what_stands_beside_the_operation_counts_too() -> None:
    beside = named(31).replace("{ me", "query B { me", 1)
    assert await refused(f"query A {{ me {{ name }} }} {beside}", Limits(), "A")
    unused = "fragment F on Person { " + "friend { name } " * 300 + "}"
    response = await open_portal().post(f"{ME} {unused}")
    assert response.json()["errors"][0]["message"] == "Fragment 'F' is never used."


async def test_a_document_nested_too_deep_to_parse_is_refused() -> None:
    response = await open_portal().post("{ me " + "{ friend " * 400 + "}" * 401)
    assert (response.status_code, code(response)) == (400, "GRAPHQL_PARSE_FAILED")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("", "GRAPHQL_PARSE_FAILED"),
        ("{ me {} }", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ me }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ echo }", "GRAPHQL_VALIDATION_FAILED"),
        ("query A { me { name } } query B { me { name } }", "OPERATION_NAME_REQUIRED"),
        ("fragment F on Person { name }", "OPERATION_NOT_FOUND"),
        ("{ me { ...F } } fragment G on Person { name }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ me { ...F } }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { me { name } }", "OPERATION_TYPE_REFUSED"),
        ("type Query { a: Int } { me { name } }", "GRAPHQL_VALIDATION_FAILED"),
    ],
)
async def test_a_refused_operation_is_400_or_200_after_the_media_type(
    query: str, expected: str
) -> None:
    portal = open_portal()
    for accept, status in ((RESPONSE, 400), ("application/json", 200)):
        response = await portal.post(query, accept=accept)
        assert (response.status_code, code(response)) == (status, expected)
        assert "data" not in response.json()
    assert "settle" not in portal.desk.steps


async def test_one_operation_of_several_is_executed_by_name() -> None:
    portal = open_portal()
    both = f"{ME} {WRITE}"
    response = await portal.post(both, operationName="Me")
    assert response.json()["data"] == {"me": {"name": "Ada"}}
    assert "write x" not in portal.desk.steps
    other = await portal.post(both, operationName="Other")
    assert (other.status_code, code(other)) == (400, "OPERATION_NOT_FOUND")
    assert "Other" not in other.text


async def test_a_document_that_graphql_core_gives_up_validating_is_over_a_limit() -> None:
    assert await refused(named(1_500), Limits(selections=2_000, repeats=2_000))


async def test_ten_requests_parse_once() -> None:
    portal = open_portal()
    for number in range(10):
        response = await portal.post(SAY, variables={"text": str(number)})
        assert response.json()["data"] == {"echo": str(number)}
    assert portal.endpoint.registry.parses == 1


async def test_ten_refusals_parse_once_and_say_the_same() -> None:
    portal = open_portal()
    answers = {(await portal.post("{ nothing }")).content for _ in range(10)}
    assert len(answers) == 1
    assert portal.endpoint.registry.parses == 1


async def test_a_document_is_prepared_once_for_each_operation_name() -> None:
    portal = open_portal()
    for name in ("Me", "Write", "Me", "Write"):
        await portal.post(f"{ME} {WRITE}", operationName=name)
    assert portal.endpoint.registry.parses == 2


async def test_the_registry_forgets_what_was_used_longest_ago() -> None:
    portal = open_portal(Limits(cached_operations=2))
    first, second, third = (f"query Q{number} {{ me {{ name }} }}" for number in range(3))
    for query in (first, second, first, third, first):
        await portal.post(query)
    assert portal.endpoint.registry.parses == 3
    await portal.post(second)
    assert portal.endpoint.registry.parses == 4


async def test_the_registry_is_bounded_by_tokens_too() -> None:
    portal = open_portal(Limits(cached_tokens=20))
    for query in (named(8), ME, named(8)):
        assert (await portal.post(query)).status_code == 200
    assert portal.endpoint.registry.parses == 3


async def test_a_flood_of_refused_documents_evicts_no_good_one_and_is_bounded() -> None:
    portal = open_portal(Limits(cached_operations=1, cached_refusals=2))
    await portal.post(ME)
    for number in range(5):
        await portal.post(f"{{ nothing{number} }}")
    await portal.post(ME)
    assert portal.endpoint.registry.parses == 6
    await portal.post("{ nothing0 }")
    assert portal.endpoint.registry.parses == 7


async def test_a_long_operation_name_is_refused_without_being_kept() -> None:
    portal = open_portal()
    response = await portal.post(ME, operationName="n" * 129)
    assert code(response) == "OPERATION_NOT_FOUND"
    assert portal.endpoint.registry.parses == 0


async def test_introspection_and_suggestions_are_for_development_only() -> None:
    asked, misspelled = "{ __schema { types { name } } }", "{ mee { name } }"
    production, development = open_portal(), open_portal(development=True)
    assert code(await production.post(asked)) == "GRAPHQL_VALIDATION_FAILED"
    assert "Did you mean" not in (await production.post(misspelled)).text
    assert (await production.post("{ __typename }")).status_code == 200
    assert (await development.post(asked)).status_code == 200
    assert "Did you mean" in (await development.post(misspelled)).text


async def test_the_usual_introspection_query_is_within_the_limits_of_development() -> None:
    response = await open_portal(development=True).post(get_introspection_query())
    assert response.status_code == 200
    assert response.json()["data"]["__schema"]["queryType"]["name"] == "Query"


async def test_a_trusted_document_is_executed_by_its_id_without_parsing_again() -> None:
    portal = open_portal(operations=(SAY, WRITE))
    before = portal.endpoint.registry.parses
    for _ in range(3):
        response = await portal.post(documentId=identified(SAY), variables={"text": "a"})
        assert response.json()["data"] == {"echo": "a"}
    written = await portal.post(documentId=identified(WRITE))
    assert written.json()["data"] == {"write": "x"}
    assert portal.endpoint.registry.parses == before == 2


@pytest.mark.parametrize(("accept", "status"), [(RESPONSE, 400), ("application/json", 200)])
async def test_an_unknown_document_id_is_a_typed_error(accept: str, status: int) -> None:
    portal = open_portal(operations=(ME,))
    response = await portal.post(accept=accept, documentId=f"sha256:{'0' * 64}")
    assert (response.status_code, code(response)) == (status, "DOCUMENT_UNKNOWN")


async def test_a_trusted_document_of_several_operations_needs_a_name() -> None:
    both = f"{ME} {WRITE}"
    portal = open_portal(operations=(both,))
    assert code(await portal.post(documentId=identified(both))) == "OPERATION_NAME_REQUIRED"
    response = await portal.post(documentId=identified(both), operationName="Me")
    assert response.status_code == 200


async def test_where_only_trusted_documents_are_executed_no_other_is_even_parsed() -> None:
    portal = open_portal(operations=(SAY, ME), trusted_only=True)
    before = portal.endpoint.registry.parses
    assert code(await portal.post(ME)) == "TRUSTED_ONLY"
    assert code(await portal.post("{")) == "TRUSTED_ONLY"
    assert portal.endpoint.registry.parses == before
    assert (await portal.post(documentId=identified(ME))).status_code == 200
    assert (await portal.get(documentId=identified(ME))).status_code == 200
    assert "settle" in portal.desk.steps


async def test_the_cost_is_told_with_data_and_with_a_refusal() -> None:
    portal = open_portal(Limits(cost=2))
    told = (await portal.post(deep(3))).json()
    assert told["extensions"]["cost"] == {"requested": 2, "limit": 2}
    refused = (await portal.post(deep(4))).json()
    assert refused["extensions"] == {"cost": {"requested": 3, "limit": 2}}
    assert refused["errors"][0]["message"] == "The operation costs 3, over the limit of 2."
    assert portal.desk.steps.count("settle") == 1
    assert "extensions" not in (await portal.post("{ nothing }")).json()


def test_a_trusted_document_over_the_cost_limit_stops_the_start() -> None:
    with pytest.raises(ValueError, match="does not pass"):
        open_portal(Limits(cost=2), operations=(deep(4),))


@pytest.mark.parametrize("text", ["{ nothing }", deep(13), "fragment F on Person { name }"])
def test_a_trusted_document_that_does_not_pass_stops_the_start(text: str) -> None:
    with pytest.raises(ValueError, match="trusted document"):
        open_portal(operations=(text,))


def test_a_trusted_document_under_another_id_stops_the_start() -> None:
    with pytest.raises(ValueError, match="not the hash"):
        OperationRegistry(SCHEMA, Limits(), operations={identified(SAY): ME}, development=False)


@pytest.mark.parametrize(
    "query",
    [
        f'{{ echo(text: "{CANARY}" "{CANARY}") }}',
        f'query "{CANARY}" {{ me {{ name }} }}',
        f'{{ echo(text: O"{CANARY}") }}',
        f'{{ echo(text: "x" {CANARY.replace("-", "_")} }}',
        f'{{ echo(text: "\\u{CANARY}") }}',
        f'"""{CANARY}""" {{ me {{ name }} }}',
        f'{{ note(notes: [{{text: "{CANARY}", stars: "{CANARY}"}}]) }}',
        f'{{ note(notes: [{{text: "{CANARY}", unknown: 1, stars: 1}}]) }}',
        f'{{ note(notes: "{CANARY}") }}',
        f'{{ on(day: "{CANARY}") }}',
        f'query Q($day: Date = "{CANARY}") {{ on(day: $day) }}',
        f'{{ me @skip(if: "{CANARY}") {{ name }} }}',
    ],
)
async def test_a_literal_of_a_refused_document_is_not_echoed(query: str) -> None:
    response = await open_portal().post(query)
    assert response.status_code == 400
    assert CANARY not in response.text
    assert CANARY.replace("-", "_") not in response.text


async def test_a_refused_document_still_tells_the_developer_where_and_what() -> None:
    portal = open_portal()

    def first(response: httpx2.Response) -> tuple[str, object]:
        error = response.json()["errors"][0]
        return error["message"], error["locations"]

    assert first(await portal.post("{ nothing }")) == (
        "Cannot query field 'nothing' on type 'Query'.",
        [{"line": 1, "column": 3}],
    )
    message, _ = first(await portal.post('query "x" { me { name } }'))
    assert message == "Syntax Error: Expected '{', found String"
    message, place = first(await portal.post("{ echo(text: 7) }"))
    assert message == "A literal is not a value of the type expected."
    assert place == [{"line": 1, "column": 14}]


async def test_the_price_of_a_request_is_known_once_its_operation_was_seen() -> None:
    trusted = "query Mine { me { name } }"
    portal = open_portal(operations=(trusted,))

    def known(**members: object) -> int | None:
        return portal.endpoint.known_price(msgspec.json.encode(members))

    assert known(query=ME) is None
    assert (await portal.post(ME)).status_code == 200
    assert known(query=ME) == 1
    assert known(query=ME, operationName="Other") is None
    assert known(query="{ me { friend { name } } }") is None
    for named in ({}, {"operationName": "Mine"}):
        assert known(documentId=identified(trusted), **named) == 1
    assert known(documentId=identified(ME)) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"query": 1}',
        b'{"query": "\xff"}',
        b'{"query": "{ me { name } }", "variables": ' + b"[" * 20_000,
        b'{"query": "{ me { name } }", "padding": "' + b" " * 40_000 + b'"}',
    ],
)
async def test_a_body_that_is_no_plain_request_has_no_known_price(body: bytes) -> None:
    portal = open_portal()
    assert (await portal.post("{ me { name } }")).status_code == 200
    assert portal.endpoint.known_price(body) is None
