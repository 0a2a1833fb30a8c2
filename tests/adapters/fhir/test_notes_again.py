"""A note that its source sends again: its words are in the received bytes alone."""

from base64 import b64encode
from pathlib import Path

import pytest

from adapters.fhir.importing import import_bundles
from domain.records import RecordCorrected, RecordFiled
from tests.adapters.fhir.bundles import SOURCE, Json, bundle, patient, report, write
from tests.adapters.fhir.memory import Memory

pytestmark = pytest.mark.anyio


def note(words: str, **members: Json) -> Json:
    """A report in words."""
    form = {"contentType": "text/plain", "data": b64encode(words.encode()).decode()}
    return report("n1", presentedForm=[form], **members)


async def told(folder: Path, *notes: Json) -> Memory:
    """What is known after a source sent these notes in turn."""
    memory = Memory()
    for one in notes:
        await import_bundles([write(folder, bundle(patient(), one))], memory, SOURCE)
    return memory


async def test_a_note_with_other_words_is_corrected_and_names_the_bytes_that_hold_them(
    tmp_path: Path,
) -> None:
    memory = await told(tmp_path, note("no fracture"), note("a fracture"))
    [filed] = memory.events(RecordFiled)
    [corrected] = memory.events(RecordCorrected)
    assert (filed.fact.note is None, corrected.item) == (False, filed.item)
    assert corrected.source.object != filed.source.object


async def test_a_note_with_the_same_words_is_nothing_new(tmp_path: Path) -> None:
    memory = await told(tmp_path, note("no fracture"), note("no fracture"))
    assert (len(memory.events(RecordFiled)), memory.events(RecordCorrected)) == (1, [])
