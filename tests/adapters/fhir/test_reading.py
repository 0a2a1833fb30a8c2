"""Reading FHIR files: exact bytes, and typed errors that never echo content."""

import gzip
from hashlib import sha256
from pathlib import Path

import pytest

from adapters.fhir import resources
from adapters.fhir.files import bundles_at, read_bundle
from adapters.fhir.reading import Malformed, Problem, Unreadable
from tests.adapters.fhir.bundles import bundle, concept, observation, patient, write


def test_files_are_found_in_folders_sorted_and_once(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    b = write(tmp_path, bundle(), "b.json")
    a = write(inner, gzip.compress(b"{}"), "a.json.gz")
    write(tmp_path, "notes", "readme.md")

    assert list(bundles_at([tmp_path, b])) == [b, a]


def test_a_place_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(bundles_at([tmp_path / "absent"]))


def test_a_resource_keeps_exactly_the_bytes_that_were_received(tmp_path: Path) -> None:
    resource = '{ "resourceType":"Patient",\n "id":"p1", "birthDate" : "1970",  "x": 1.10 }'
    path = write(
        tmp_path,
        f'{{"resourceType":"Bundle","type":"collection","entry":[{{"resource": {resource} }}]}}',
    )

    (entry,) = read_bundle(path).entries

    assert entry.content == resource.encode()
    assert (entry.index, entry.full_url, entry.resource_type, entry.id) == (
        0,
        None,
        "Patient",
        "p1",
    )


@pytest.mark.parametrize("kind", ["transaction", "batch", "collection", "document"])
def test_every_kind_of_content_bundle_is_read(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path, bundle(patient(), observation("o1"), type=kind))

    assert [entry.id for entry in read_bundle(path).entries] == ["p1", "o1"]


def test_a_single_resource_is_read_as_its_only_entry(tmp_path: Path) -> None:
    path = write(tmp_path, '\n {"resourceType":"Patient","id":"p1","type":[1]} \n')

    (entry,) = read_bundle(path).entries

    assert entry.content == b'{"resourceType":"Patient","id":"p1","type":[1]}'


def test_a_compressed_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbf{"resourceType":"Patient","id":"p1"}'
    path = write(tmp_path, gzip.compress(content), "p.json.gz")

    assert read_bundle(path).entries[0].id == "p1"


def test_a_resource_without_id_takes_that_of_its_url(tmp_path: Path) -> None:
    entry = '{"fullUrl":"urn:uuid:abc","resource":{"resourceType":"Patient"}}'
    path = write(tmp_path, f'{{"resourceType":"Bundle","type":"transaction","entry":[{entry}]}}')

    assert read_bundle(path).entries[0].id == "abc"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("x.json", b'{"resourceType":"Bundle","entry":[', "bad-json"),
        ("x.json", b"", "bad-json"),
        ("x.json", b'{"resourceType":"\xff"}', "bad-json"),
        ("x.json", b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "bad-json"),
        ("x.json", b'{"Secret Name":1}', "not-fhir"),
        ("x.json", b"[1, 2]", "not-fhir"),
        ("x.json", b'{"resourceType":7}', "not-fhir"),
        ("x.json", b'{"resourceType":"Bundle","type":"batch","entry":"Secret"}', "malformed"),
        ("x.json", b'{"resourceType":"Bundle","type":"history"}', "bundle-type"),
        ("x.json", b'{"resourceType":"Bundle"}', "bundle-type"),
        ("x.json.gz", b"no gzip", "bad-gzip"),
        ("x.json.gz", gzip.compress(b"{}" * 500, mtime=0)[:-9], "bad-gzip"),
    ],
)
def test_an_unreadable_file_is_named_with_a_reason_and_no_content(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    with pytest.raises(Unreadable) as caught:
        read_bundle(write(tmp_path, content, name))

    assert str(caught.value) == f"{name}: {reason}"
    assert (caught.value.file, caught.value.reason) == (name, reason)


def test_entries_that_are_no_resources_are_listed_by_index_and_the_rest_is_read(
    tmp_path: Path,
) -> None:
    entries = ",".join(
        [
            '{"fullUrl":"urn:uuid:x"}',
            '{"resource":{"id":"1"}}',
            '{"resource":{"resourceType":"Patient"}}',
            '{"resource":{"resourceType":"Patient","id":5}}',
            '"Secret"',
            '{"resource":{"resourceType":"a Secret","id":"1"}}',
            '{"resource":{"resourceType":"Patient","id":"p1"}}',
        ]
    )
    path = write(tmp_path, f'{{"resourceType":"Bundle","type":"batch","entry":[{entries}]}}')

    received = read_bundle(path)

    assert [(entry.index, entry.id) for entry in received.entries] == [
        (2, sha256(b'{"resourceType":"Patient"}').hexdigest()),
        (6, "p1"),
    ]
    file = "bundle.json"
    assert received.problems == (
        Problem(file=file, entry=0, reason="no-resource"),
        Problem(file=file, entry=1, reason="no-type"),
        Problem(file=file, entry=3, reason="malformed", at="$.id"),
        Problem(file=file, entry=4, reason="malformed"),
        Problem(file=file, entry=5, reason="no-type"),
    )


def test_a_malformed_resource_is_named_by_member_never_by_value(tmp_path: Path) -> None:
    wrong = observation("o1", code={"coding": [{"system": "s", "code": ["Secret"]}]})
    (entry,) = read_bundle(write(tmp_path, wrong)).entries

    with pytest.raises(Malformed) as caught:
        entry.decode(resources.Observation)

    assert caught.value.at == "$.code.coding[0].code"
    assert "Secret" not in repr(caught.value)


def test_a_resource_without_a_member_the_domain_needs_is_malformed(tmp_path: Path) -> None:
    (entry,) = read_bundle(
        write(tmp_path, {"resourceType": "Observation", "id": "o", "code": concept("1")})
    ).entries

    with pytest.raises(Malformed):
        entry.decode(resources.Observation)
