"""The registry's desk over HTTP: acts as its people do them, and what records then show."""

from domain.kernel.event import Recorded
from tests.api.world import Json, World

RESULT = """{ __typename
  ... on RegistryChanged { position repeated }
  ... on Problem { code message path retryable }
  ... on StaleVersionProblem { currentVersion } }"""
INPUTS = {
    "linkCharts": "LinkChartsInput",
    "mergeCharts": "MergeChartsInput",
    "undoLink": "UndoLinkInput",
    "unmergeCharts": "UnmergeChartsInput",
    "reviewMerge": "ReviewMergeInput",
    "correctDeath": "CorrectDeathInput",
    "dismissMatch": "DismissMatchInput",
    "reportDeath": "ReportDeathInput",
}
PANELS = (
    "conditions", "allergies", "medications", "immunizations", "labReports", "observations",
    "visits", "proxies",
)  # fmt: skip
PAGE = 50


def document(act: str) -> str:
    """The mutation of an act."""
    return f"mutation Act($input: {INPUTS[act]}!) {{ {act}(input: $input) {RESULT} }}"


async def act(world: World, person: str, name: str, /, **given: object) -> Json:
    """The result of an act; charts are named by their patients."""
    charts = {
        field: (await world.ids(person)).hide("chart", world.seeded.charts[str(patient)])
        for field, patient in given.items()
        if field in ("chart", "beside", "into")
    }
    wish = {"idempotencyKey": f"{name} {sorted(given.items())}", **given, **charts}
    if name != "reportDeath":
        wish.setdefault("reason", "as the test says")
    result: Json = (await world.data(person, document(name), input=wish))[name]
    return result


async def done(world: World, name: str, /, **given: object) -> Json:
    """The success of an act by Nora of health information management."""
    result = await act(world, "nora", name, **given)
    assert result["__typename"] == "RegistryChanged", result
    return result


async def whole_record(
    world: World, person: str, chart: str | None = None, position: str | None = None
) -> dict[str, list[str]] | None:
    """Every panel of a record, paged to its end; None where it is closed."""
    record: dict[str, list[str]] = {}
    for panel in PANELS:
        rows, after = [], None
        while True:
            answer = await world.ask(
                person,
                f"""query ($chart: ID, $after: String) {{ record(chart: $chart) {{
                  {panel}(first: {PAGE}, after: $after) {{ edges {{ node {{ id }} }}
                    pageInfo {{ hasNextPage endCursor }} }} }} }}""",
                {"chart": chart, "after": after},
                position,
            )
            body = answer.json()
            if body["data"]["record"] is None:
                return None
            page = body["data"]["record"][panel]
            if page is None:
                break
            rows += [edge["node"]["id"] for edge in page["edges"]]
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                break
        record[panel] = rows
    return record


def registry_facts(events: list[Recorded]) -> list[str]:
    """The names of the registry's events among events."""
    names = [event.header.type for event in events]
    return [name for name in names if name.startswith("registry.")]
