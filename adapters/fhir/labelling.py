"""Sensitivity labels at the boundary, by rules as data (labels.toml).

A rule looks at every coding of a resource, wherever it stands. Documents take on the labels of
their visit. HL7 v3 ActCode sensitivity; FHIR security labels, DS4P.
"""

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files

import msgspec

from adapters.fhir.reading import UNDECODABLE, Entry
from domain.kernel.labels import SOURCE, Label

CIEL = "https://openconceptlab.org/orgs/CIEL/sources/CIEL"
_PADDED = 36
_CODE = re.compile(rb'"code"\s*:\s*"([^"\\]+)"')
_WORDS = re.compile(rb'"(?:display|text)"\s*:\s*"((?:[^"\\]|\\.)*)"')
_SECURED = b'"security"'
Json = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the file."""

    id: str
    label: str
    codes: frozenset[tuple[str, str]] = frozenset()
    prefixes: tuple[tuple[str, str], ...] = ()
    words: re.Pattern[str] | None = None


@dataclass(frozen=True)
class Rules:
    """The rules, and what the labels of one resource mean for another."""

    rules: tuple[Rule, ...]
    security: frozenset[tuple[str, str]]
    inherits: Mapping[str, frozenset[str]]
    documents: frozenset[str]
    noted: frozenset[str]
    _spoken: dict[bytes, bool] = field(default_factory=dict, repr=False)

    @cached_property
    def codes(self) -> frozenset[str]:
        """Every code that some rule names, whatever its system."""
        return frozenset(code for rule in self.rules for _, code in rule.codes)

    @cached_property
    def beginnings(self) -> tuple[str, ...]:
        """Every beginning of a code that some rule names."""
        return tuple({prefix for rule in self.rules for _, prefix in rule.prefixes})

    def of(self, content: bytes) -> tuple[Label, ...]:
        """The labels of a resource by its own codings; most resources are dismissed unparsed."""
        if not self._may_concern(content):
            return ()
        try:
            given = msgspec.json.decode(content)
        except UNDECODABLE:
            return ()
        found = dict.fromkeys(self._assigned(_codings(given)))
        return tuple(found | dict.fromkeys(self._given(given)))

    def _may_concern(self, content: bytes) -> bool:
        if _SECURED in content:
            return True
        for code in set(_CODE.findall(content)):
            text = code.decode(errors="replace")
            if _bare(text) in self.codes or text.startswith(self.beginnings):
                return True
        return any(self._speaks(words) for words in set(_WORDS.findall(content)))

    def _speaks(self, words: bytes) -> bool:
        if words not in self._spoken:
            if len(self._spoken) > 50_000:
                self._spoken.clear()
            text = words.decode(errors="replace")
            self._spoken[words] = any(r.words and r.words.search(text) for r in self.rules)
        return self._spoken[words]

    def _assigned(self, codings: Iterable[tuple[str, str, str]]) -> Iterator[Label]:
        for system, code, words in codings:
            for rule in self.rules:
                by_code = (system, code) in rule.codes or any(
                    system == of and code.startswith(prefix) for of, prefix in rule.prefixes
                )
                if by_code or (words and rule.words and rule.words.search(words)):
                    yield Label(rule.label, rule.id)

    def _given(self, given: object) -> Iterator[Label]:
        meta = given.get("meta") if isinstance(given, dict) else None
        tags = meta.get("security") if isinstance(meta, dict) else None
        for tag in tags if isinstance(tags, list) else ():
            if isinstance(tag, dict) and (tag.get("system"), tag.get("code")) in self.security:
                yield Label(str(tag["code"]), SOURCE)


class Labelled:
    """The labels of a bundle's entries; computed when the first of them is asked for."""

    def __init__(self, rules: Rules, entries: Sequence[Entry]) -> None:
        self._rules = rules
        self._all = tuple(entries)
        self._seen: dict[int, tuple[bool, tuple[Entry, ...]]] = {}

    def of(self, entry: Entry) -> tuple[Label, ...]:
        """By its own codings and, where its type says so, by what it points at."""
        if not self._own:
            return ()
        found = dict.fromkeys(self._taken_on(entry, frozenset()))
        is_document, targets = self._look(entry)
        if is_document:
            for visit in targets:
                found |= dict.fromkeys(self._of_visits.get(visit.index, ()))
        return tuple(found)

    def _taken_on(self, entry: Entry, seen: frozenset[int]) -> Iterator[Label]:
        yield from self._own.get(entry.index, ())
        for target in self._look(entry)[1]:
            if target.index not in seen:
                yield from self._taken_on(target, seen | {entry.index})

    @cached_property
    def _own(self) -> dict[int, tuple[Label, ...]]:
        """The labels of those entries that have some by themselves."""
        found = ((entry.index, self._rules.of(entry.content)) for entry in self._all)
        return {index: labels for index, labels in found if labels}

    @cached_property
    def _entries(self) -> dict[str, Entry]:
        named = {f"{entry.resource_type}/{entry.id}": entry for entry in self._all}
        return named | {entry.full_url: entry for entry in self._all if entry.full_url}

    def _look(self, entry: Entry) -> tuple[bool, tuple[Entry, ...]]:
        """Whether it is words about a visit, and what it takes labels on from."""
        if entry.index not in self._seen:
            self._seen[entry.index] = self._looked(entry)
        return self._seen[entry.index]

    def _looked(self, entry: Entry) -> tuple[bool, tuple[Entry, ...]]:
        kind, rules = entry.resource_type, self._rules
        members = rules.inherits.get(kind)
        if not members:
            return kind in rules.documents, ()
        given = _object(entry)
        if kind in rules.noted and given.get("result"):
            return False, ()
        named = (one for name in members & given.keys() for one in _references(given[name]))
        found = filter(None, map(self._entries.get, named))
        targets = tuple(one for one in found if one.index != entry.index)
        return kind in rules.documents or kind in rules.noted, targets

    @cached_property
    def _of_visits(self) -> dict[int, tuple[Label, ...]]:
        """What was stated of each visit, by the visit's index."""
        found: defaultdict[int, dict[Label, None]] = defaultdict(dict)
        for entry in self._all:
            labels = self._own.get(entry.index)
            if not labels:
                continue
            for visit in map(self._entries.get, _references(_object(entry).get("encounter"))):
                if visit is not None:
                    found[visit.index] |= dict.fromkeys(labels)
        return {visit: tuple(labels) for visit, labels in found.items()}


@cache
def shipped() -> Rules:
    """The rules that come with the release. Raises ValueError for a file that is none."""
    return rules_of(files("adapters.fhir").joinpath("labels.toml").read_text("utf-8"))


def rules_of(text: str) -> Rules:
    """Rules from the text of a rules file. Raises ValueError."""
    given = tomllib.loads(text)
    try:
        return Rules(
            rules=tuple(_rule(one) for one in given["rule"]),
            security=_pairs(given["security"]),
            inherits={kind: frozenset(names) for kind, names in given["inherits"].items()},
            documents=frozenset(given["documents"]["types"]),
            noted=frozenset(given["documents"]["noted"]),
        )
    except (KeyError, TypeError, AttributeError, re.error) as error:
        raise ValueError("no rules for labels") from error


def _rule(given: Json) -> Rule:
    words = given.get("words")
    spoken = "|".join(f"(?:{one})" for one in words) if isinstance(words, list) else None
    return Rule(
        id=str(given["id"]),
        label=str(given["label"]),
        codes=_pairs(given.get("codes", {})),
        prefixes=tuple(sorted(_pairs(given.get("prefixes", {})))),
        words=re.compile(spoken, re.IGNORECASE) if spoken else None,
    )


def _pairs(given: object) -> frozenset[tuple[str, str]]:
    if not isinstance(given, dict):
        raise TypeError
    return frozenset((system, code) for system, codes in given.items() for code in codes)


def _bare(code: str) -> str:
    return code.rstrip("A") if len(code) == _PADDED else code


def _codings(given: object) -> Iterator[tuple[str, str, str]]:
    """System, code and words of every coding, and of every concept's text, wherever it stands."""
    if isinstance(given, list):
        for one in given:
            yield from _codings(one)
    elif isinstance(given, dict):
        system, code = given.get("system"), given.get("code")
        words = given.get("display") or given.get("text")
        spoken = words if isinstance(words, str) else ""
        if isinstance(code, str):
            bare = _bare(code)
            yield CIEL if bare != code else str(system), bare, spoken
        elif spoken and "reference" not in given:
            yield "", "", spoken
        for member in given.values():
            yield from _codings(member)


def _object(entry: Entry) -> dict[str, object]:
    try:
        given = msgspec.json.decode(entry.raw)
    except UNDECODABLE:
        return {}
    return given if isinstance(given, dict) else {}


def _references(given: object) -> Iterator[str]:
    if isinstance(given, list):
        for one in given:
            yield from _references(one)
    elif isinstance(given, dict):
        reference = given.get("reference")
        if isinstance(reference, str):
            yield reference
        for member in given.values():
            if isinstance(member, dict | list):
                yield from _references(member)
