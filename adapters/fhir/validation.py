"""Validation at the boundary: what is wrong with a resource that we take all the same.

Three judges, since none is complete: HL7's JSON Schema of R4 (codes, members, shapes), the classes
of fhir.resources (absent required members, choices) and rules of our own (nothing empty, nothing
that runs). Their findings are recorded; only what cannot be filed is set aside.
"""

import gzip
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

import jsonschema_rs
import msgspec
from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError

from adapters.fhir.narrative import is_active
from adapters.fhir.reading import UNDECODABLE, Entry

SCHEMA = "schema/fhir.schema.json.gz"
SHA256 = "15b9548af6412c44faaa411456e0652542de286fd1c58ef882b09bdc8947909d"
_CANONICAL = "#/definitions/canonical"
_ELEMENT = {"$ref": "#/definitions/Element"}


class SchemaDamaged(Exception):
    """The JSON Schema of FHIR in this installation is not the one that was shipped. Reinstall."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a judge says of an entry: `schema`, `model`, `empty` or `active-narrative`.

    `at` is a path of member names and places; never a value.
    """

    entry: int
    type: str
    judge: str
    at: str


def findings(entries: Sequence[Entry]) -> list[Finding]:
    """What is wrong with these resources; nothing for one that is no JSON object."""
    found: list[Finding] = []
    for entry in entries:
        try:
            given = msgspec.json.decode(entry.raw)
        except UNDECODABLE:
            continue
        if isinstance(given, dict):
            told = dict.fromkeys(_judged(entry.resource_type, given))
            found += [Finding(entry.index, entry.resource_type, *one) for one in told]
    return found


def is_known(resource_type: str) -> bool:
    """Whether R4 has resources of this type."""
    return resource_type in _document()["discriminator"]["mapping"]


def _judged(kind: str, given: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if not _schema().is_valid(given):
        yield "schema", _broken(kind, given)
    yield from (("model", at) for at in _modelled(kind, given))
    yield from (("empty", at) for at in _empty(given, kind))
    text = given.get("text")
    div = text.get("div") if isinstance(text, dict) else None
    if isinstance(div, str) and is_active(div):
        yield "active-narrative", f"{kind}.text.div"


def _modelled(kind: str, given: dict[str, Any]) -> Iterator[str]:
    try:
        _model(kind).model_validate(given)
    except (KeyError, LookupError):
        yield kind
    except ValidationError as error:
        for one in error.errors(include_url=False, include_context=False, include_input=False):
            yield _path(kind, one["loc"])


def _empty(given: object, at: str) -> Iterator[str]:
    if given in ({}, [], ""):
        yield at
    elif isinstance(given, dict):
        for name, member in given.items():
            yield from _empty(member, f"{at}.{name}")
    elif isinstance(given, list):
        for member in given:
            yield from _empty(member, at)


def _broken(kind: str, given: dict[str, Any]) -> str:
    """Where the schema of its own type breaks first; the schema of all types cannot say."""
    if not is_known(kind):
        return kind
    first = next(iter(_schema_of(kind).iter_errors(given)), None)
    return kind if first is None else _path(kind, first.instance_path)


def _path(kind: str, parts: Iterable[object]) -> str:
    """Member names are FHIR's own; anything else that a sender wrote there is left out."""
    named = (str(part) for part in parts)
    return ".".join((kind, *(part for part in named if part.isascii() and part.isalnum())))


@cache
def _model(kind: str) -> Any:
    return get_fhir_model_class(kind)


@cache
def _document() -> dict[str, Any]:
    content = gzip.decompress(files("adapters.fhir").joinpath(SCHEMA).read_bytes())
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise SchemaDamaged(SHA256)
    document: dict[str, Any] = msgspec.json.decode(content)
    for definition in document["definitions"].values():
        _add_siblings(definition.get("properties", {}))
    return document


def _add_siblings(properties: dict[str, Any]) -> None:
    for name, shape in list(properties.items()):
        if shape.get("$ref") == _CANONICAL:
            properties.setdefault(f"_{name}", _ELEMENT)
        elif shape.get("items", {}).get("$ref") == _CANONICAL:
            properties.setdefault(f"_{name}", {"type": "array", "items": _ELEMENT})


@cache
def _schema() -> Any:
    return jsonschema_rs.validator_for(_document())


@lru_cache(maxsize=8)
def _schema_of(kind: str) -> Any:
    """A validator per type costs some 4 MB, so only a few that were asked last are kept."""
    document = _document()
    shape = {"$schema": document["$schema"], "definitions": document["definitions"]}
    return jsonschema_rs.validator_for({**shape, "$ref": f"#/definitions/{kind}"})
