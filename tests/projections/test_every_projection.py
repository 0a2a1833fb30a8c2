"""What holds for every projection: it never fails, and its writes fit its tables."""

from collections.abc import Iterator
from dataclasses import is_dataclass
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.kernel.event import Erased, Event, Unknown
from domain.kernel.readmodel import Column, Drop, Projection, Put, Write
from projections.catalogue import PANELS, PERMISSIONS, PROJECTIONS, projection
from tests.contracts.samples import sample
from tests.projections.recorded import CHART, recorded
from tests.strategies import anything

TYPES = {
    "uuid": str,
    "text": str,
    "bigint": int,
    "timestamptz": datetime,
    "text[]": list,
    "blind": str,
}
OPENED = [(known, kind) for known in PROJECTIONS for kind in known.opens]
NAMES = [f"{known.name} {kind.type_name}" for known, kind in OPENED]
BY_NAME = pytest.mark.parametrize("known", PROJECTIONS, ids=lambda known: known.name)


def fits(write: Write, known: Projection) -> Iterator[bool]:
    """Whether a write stays within the declared tables, columns, types and documents."""
    yield write.table in known.tables
    columns = {column.name: column for column in write.table.columns}
    if isinstance(write, Drop):
        yield bool(write.where)
        yield write.where.keys() <= columns.keys()
        return
    yield write.values.keys() == columns.keys()
    yield all(typed(value, columns[name]) for name, value in write.values.items())
    yield all(write.values[column.name] is not None for column in write.table.key)
    yield isinstance(write.body, write.table.body or type(None))


def typed(value: object, column: Column) -> bool:
    """Whether a value is of the column's type, or absent."""
    return value is None or type(value) is TYPES[column.type]


@pytest.mark.parametrize(("known", "kind"), OPENED, ids=NAMES)
def test_it_takes_any_event_that_it_opens(known: Projection, kind: type[Event]) -> None:
    @given(anything(kind))
    def takes(event: Event) -> None:
        for write in known.project(recorded(event)):
            assert all(fits(write, known))

    takes()


@pytest.mark.parametrize(("known", "kind"), OPENED, ids=NAMES)
def test_it_takes_an_erased_event_and_writes_no_document(
    known: Projection, kind: type[Event]
) -> None:
    for write in known.project(recorded(Erased(kind.type_name))):
        assert all(fits(write, known))
        assert isinstance(write, Drop) or write.body is None


@BY_NAME
def test_it_takes_an_event_of_a_newer_release(known: Projection) -> None:
    for write in known.project(recorded(Unknown("nobody.knows", 9))):
        assert all(fits(write, known))
        assert isinstance(write, Put)
        assert write.body is None


@BY_NAME
@settings(max_examples=20)
@given(data=st.data())
def test_the_same_event_gives_the_same_writes(known: Projection, data: st.DataObject) -> None:
    event = recorded(data.draw(anything(data.draw(st.sampled_from(known.opens)))))
    assert list(known.project(event)) == list(known.project(event))


def test_projections_and_their_tables_have_names_of_their_own() -> None:
    names = [known.name for known in PROJECTIONS]
    tables = [table.name for known in PROJECTIONS for table in known.tables]
    assert len(set(names)) == len(names)
    assert len(set(tables)) == len(tables)
    assert all(
        table.name.startswith(f"{known.name}_") for known in PROJECTIONS for table in known.tables
    )


def test_a_projection_is_found_by_its_name() -> None:
    assert [projection(known.name) for known in PROJECTIONS] == list(PROJECTIONS)
    with pytest.raises(KeyError):
        projection("nobody")


def test_the_permission_read_models_are_projections() -> None:
    assert set(PERMISSIONS) <= {known.name for known in PROJECTIONS}


def test_every_panel_reads_a_document_of_its_projection() -> None:
    for panel in PANELS:
        assert panel.table in projection(panel.projection).tables
        assert panel.table.body is not None
        assert is_dataclass(panel.table.body)


def test_a_document_is_sealed_for_its_chart() -> None:
    for known, kind in OPENED:
        for write in known.project(recorded(sample(kind))):
            if isinstance(write, Put) and "chart" in write.values and write.body is not None:
                assert (write.owner, write.values["chart"]) == (CHART, CHART)
