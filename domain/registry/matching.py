"""Matching: which charts may be one person's, as a pure score over demographics.

Charts are compared that share a token. The score follows Fellegi and Sunter (1969): each field adds
log2(m/u) where it agrees and log2((1-m)/(1-u)) where it disagrees, m and u being how often it
agrees for one person and for two; rounded weights are in WEIGHTS. What a household shares (family
name, address, phone, mail) counts at most HOUSEHOLD, so that it never outweighs a given name or a
birth date that differ: twins, and father and son of one name, stay apart.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from domain.kernel.values import Identifier
from domain.registry.charts import Demographics

THRESHOLD = 12.0
"""Bits from which a pair is proposed."""
HOUSEHOLD = 9.0
CLOSE = 0.92
"""Jaro-Winkler similarity from which two names agree; below DIFFERENT they disagree."""
DIFFERENT = 0.80
WEIGHTS: dict[str, tuple[float, float]] = {
    "family": (7.0, -4.0),
    "given": (6.0, -9.0),
    "birth-date": (8.0, -12.0),
    "sex": (1.0, -4.0),
    "address": (6.0, -0.5),
    "phone": (6.0, -0.5),
    "mail": (7.0, -0.5),
    "suffix": (1.0, -12.0),
    "identifier": (20.0, -3.0),
}
SHARED = frozenset({"family", "address", "phone", "mail"})
SSN = "http://hl7.org/fhir/sid/us-ssn"
STRONG_KINDS = frozenset({"SS", "PPN", "NI", "MR"})
"""HL7 table 0203: social security, passport, national and medical record number."""
_FILLERS = frozenset({"123456789", "987654321", "078051120", "219099999", "999999999"})
_SUFFIXES = {"jr": "jr", "junior": "jr", "sr": "sr", "senior": "sr", "ii": "ii", "iii": "iii"}
_SOUNDS = {c: d for d, cs in enumerate(("bfpv", "cgjkqsxz", "dt", "l", "mn", "r"), 1) for c in cs}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A comparison: its bits, the fields that agree (`+`) and disagree (`-`), and the system of the
    identifier that decides by itself, or None."""

    score: float
    evidence: tuple[str, ...]
    decided_by: str | None = None

    @property
    def proposed(self) -> bool:
        """Whether somebody should look at it."""
        return self.decided_by is not None or self.score >= THRESHOLD


def compare(one: Demographics, other: Demographics) -> Verdict:
    """How far two charts look like one person's."""
    fields = dict(_fields(one, other))
    bits = {name: WEIGHTS[name][0 if agrees else 1] for name, agrees in fields.items()}
    shared = sum(bits[name] for name in bits if name in SHARED and fields[name])
    score = sum(bits.values()) - max(0.0, shared - HOUSEHOLD)
    evidence = tuple(f"{'+' if agrees else '-'}{name}" for name, agrees in sorted(fields.items()))
    contradicted = any(fields.get(name) is False for name in ("birth-date", "given", "suffix"))
    strong = sorted(_strong(one) & _strong(other))
    decided_by = strong[0][0] if strong and not contradicted else None
    return Verdict(score, evidence, decided_by)


def tokens(identifier: Identifier, known: Demographics) -> tuple[str, ...]:
    """What charts are found by, before it is hashed: charts that share none are not compared."""
    found = {f"id|{system}|{value}" for system, value in _strong(known)}
    found.add(f"id|{identifier.system}|{_bare(identifier.value)}")
    found.update(f"phone|{phone}" for phone in _phones(known))
    found.update(f"mail|{mail}" for mail in _mails(known))
    if known.birth_date is not None:
        born = known.birth_date.text
        found.update(f"name|{key}|{born}" for key in _name_keys(known))
    return tuple(sorted(found))


def _name_keys(known: Demographics) -> Iterator[str]:
    for name in known.names:
        family, given = _family(name.family), _plain(name.given[0]) if name.given else ""
        if family and given:
            yield f"{family}|{given}"
        if family:
            yield f"~{soundex(family)}"
        for code in _postal_codes(known):
            if given:
                yield f"{given}|{code}"


def _fields(one: Demographics, other: Demographics) -> Iterator[tuple[str, bool]]:
    """The fields that both charts state, and whether they agree; what is unclear is left out."""
    pairs = (
        ("family", _names_agree(_families(one), _families(other))),
        ("given", _names_agree(_givens(one), _givens(other))),
        ("suffix", _same(_suffixes(one), _suffixes(other))),
        ("birth-date", _dates_agree(one, other)),
        ("sex", _same(_sex(one), _sex(other))),
        ("address", _same(_addresses(one), _addresses(other))),
        ("phone", _same(_phones(one), _phones(other))),
        ("mail", _same(_mails(one), _mails(other))),
        ("identifier", _identifiers_agree(one, other)),
    )
    for name, agrees in pairs:
        if agrees is not None:
            yield name, agrees


def _same(one: set[str], other: set[str]) -> bool | None:
    return not one.isdisjoint(other) if one and other else None


def _names_agree(one: set[str], other: set[str]) -> bool | None:
    """Whether the closest pair of names agrees; None where it is neither close nor different."""
    if not one or not other:
        return None
    closest = max(jaro_winkler(a, b) for a in one for b in other)
    return True if closest >= CLOSE else False if closest < DIFFERENT else None


def _dates_agree(one: Demographics, other: Demographics) -> bool | None:
    """Equal as far as both are known; None for a slip: day and month swapped, or one digit."""
    if one.birth_date is None or other.birth_date is None:
        return None
    a, b = one.birth_date.text[:10], other.birth_date.text[:10]
    known = min(len(a), len(b))
    if a[:known] == b[:known]:
        return True if known == len("2000-01-01") else None
    slips = sum(x != y for x, y in zip(a[:known], b[:known], strict=True))
    swapped = sorted(a.split("-")[1:]) == sorted(b.split("-")[1:]) and a[:4] == b[:4]
    return None if (slips == 1 and _is_date(a) and _is_date(b)) or swapped else False


def _is_date(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


def _identifiers_agree(one: Demographics, other: Demographics) -> bool | None:
    """Whether an identifier of a system that both know is equal."""
    first, second = _strong(one), _strong(other)
    common = {system for system, _ in first} & {system for system, _ in second}
    return not first.isdisjoint(second) if common else None


def _strong(known: Demographics) -> set[tuple[str, str]]:
    """(system, value) of identifiers that one person alone has; fillers do not count."""
    found = set()
    for identifier in known.identifiers:
        value = _bare(identifier.value)
        strong = identifier.system == SSN or identifier.kind in STRONG_KINDS
        if strong and len(value) >= 4 and len(set(value)) > 1 and value not in _FILLERS:
            found.add((identifier.system, value))
    return found


def _bare(value: str) -> str:
    return re.sub(r"[^0-9a-z]", "", value.casefold())


def _plain(text: str) -> str:
    """Letters and digits alone, without case and diacritics."""
    folded = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in folded if c.isalnum())


def _family(text: str | None) -> str:
    words = (text or "").replace(",", " ").split()
    return "".join(_plain(w) for w in words if w.strip(".").casefold() not in _SUFFIXES)


def _families(known: Demographics) -> set[str]:
    return {family for name in known.names if (family := _family(name.family))}


def _givens(known: Demographics) -> set[str]:
    return {_plain(name.given[0]) for name in known.names if name.given} - {""}


def _suffixes(known: Demographics) -> set[str]:
    """Jr, Sr and the like; a name without any says nothing."""
    texts = (f"{name.family or ''} {name.text or ''}" for name in known.names)
    words = (word.strip(".,").casefold() for text in texts for word in text.split())
    return {_SUFFIXES[word] for word in words if word in _SUFFIXES}


def _sex(known: Demographics) -> set[str]:
    return {known.gender} & {"male", "female"} if known.gender else set()


def _addresses(known: Demographics) -> set[str]:
    return {_plain(address) for address in known.addresses} - {""}


def _postal_codes(known: Demographics) -> Iterable[str]:
    return sorted({c for a in known.addresses for c in re.findall(r"\b\d{5}\b", a)})


def _mails(known: Demographics) -> set[str]:
    return {one.strip().casefold() for one in known.telecoms if "@" in one}


def _phones(known: Demographics) -> set[str]:
    """The last ten digits, which leave out how a country code is written."""
    digits = (re.sub(r"\D", "", one) for one in known.telecoms if "@" not in one)
    return {number[-10:] for number in digits if len(number) >= 7 and len(set(number)) > 1}


def soundex(word: str) -> str:
    """American Soundex (US National Archives): a letter and three digits; empty for no letter."""
    letters = [c for c in _plain(word) if "a" <= c <= "z"]
    if not letters:
        return ""
    code, last = letters[0].upper(), _SOUNDS.get(letters[0], 0)
    for letter in letters[1:]:
        sound = _SOUNDS.get(letter, 0)
        if sound and sound != last:
            code += str(sound)
        if letter not in "hw":
            last = sound
    return (code + "000")[:4]


def jaro_winkler(one: str, other: str) -> float:
    """Similarity from 0 to 1 (Winkler 1990: prefix of at most four, weight 0.1)."""
    if one == other:
        return 1.0
    jaro = _jaro(one, other)
    prefix = 0
    for a, b in zip(one[:4], other[:4], strict=False):
        if a != b:
            break
        prefix += 1
    return jaro + prefix * 0.1 * (1 - jaro)


def _jaro(one: str, other: str) -> float:
    reach = max(max(len(one), len(other)) // 2 - 1, 0)
    taken: list[int] = []
    matched: list[str] = []
    for place, letter in enumerate(one):
        for at in range(max(0, place - reach), min(len(other), place + reach + 1)):
            if other[at] == letter and at not in taken:
                taken.append(at)
                matched.append(letter)
                break
    if not matched:
        return 0.0
    theirs = [other[at] for at in sorted(taken)]
    moved = sum(a != b for a, b in zip(matched, theirs, strict=True)) / 2
    count = len(matched)
    return (count / len(one) + count / len(other) + (count - moved) / count) / 3
