"""docs/kit/verify.py shows that an export is the log's, and names whatever is not."""

import base64
import json
import random
import re
import struct
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from tests.kit.conftest import HERE, Exports, Json


def entries(lines: list[Json]) -> list[Json]:
    return [line for line in lines if "position" in line]


def test_the_whole_log_is_shown_with_everybody_who_acted_and_every_kind(exports: Exports) -> None:
    path = exports.whole()
    code, said = exports.officer.verify(path)
    assert code == 0
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    kinds = exports.console.rows(
        "SELECT type, count(*) AS n FROM event WHERE tenant = 'riverside' AND position <= %s"
        " GROUP BY type ORDER BY type",
        lines[0]["events"],
    )
    assert re.findall(r"^ +(\d+)  ([a-z.-]+)$", said, re.MULTILINE) == [
        (str(kind["n"]), kind["type"]) for kind in kinds
    ]
    assert lines[0]["events"] == len(entries(lines)) == exports.console.head()
    assert sum("head" in line for line in lines) >= 3
    assert "These are all events of that log" in said
    assert said.endswith("OK\n")


def test_no_content_of_a_record_is_in_an_export(exports: Exports) -> None:
    said = exports.whole().read_text()
    assert "Delgado" not in said
    assert "Haddad" not in said
    # Short names stand in base64 by chance.
    lines = [json.loads(line) for line in said.splitlines()]
    clear = "".join(line["header"] + line["context"] for line in entries(lines))
    assert "Rosa" not in clear
    assert "Omar" not in clear


def test_the_export_is_on_record_and_in_itself(exports: Exports) -> None:
    chart = exports.chart()
    before = exports.console.head()
    exports.export("one.jsonl", "--chart", chart)
    (row,) = exports.console.rows(
        "SELECT type, header, context FROM event WHERE tenant = 'riverside' AND position > %s",
        before,
    )
    assert row["type"] == "audit.audit-replayed"
    assert json.loads(row["header"])["chart"] == chart
    assert json.loads(row["context"])["reason"] == "a request of the patient"


@pytest.mark.parametrize("selection", ["--chart", "--actor", "--since"])
def test_a_part_is_proven_event_by_event_and_says_what_it_does_not_show(
    exports: Exports, selection: str
) -> None:
    given = {
        "--chart": (exports.chart(),),
        "--actor": ("olga",),
        "--since": ("2020-01-01", "--at", "40"),
    }[selection]
    path = exports.export("part.jsonl", selection, *given)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0]["events"] == len(entries(lines)) > 0
    assert all(len(line["path"]) * 32 <= 1024 for line in entries(lines))
    code, said = exports.officer.verify(path)
    assert code == 0, said
    assert "cannot be shown by a part of the log" in said


def test_a_receipt_shows_an_event_without_actor_and_session_in_2_kib(exports: Exports) -> None:
    path = exports.receipt(7)
    assert path.stat().st_size <= 2048
    told = json.loads(path.read_text())
    (row,) = exports.console.rows(
        "SELECT context FROM event WHERE tenant = 'riverside' AND position = 7"
    )
    context = json.loads(row["context"])
    for secret in ("actor", "session", "basis", "correlation"):
        value = context.get(secret)
        assert secret not in told
        assert not value or str(value) not in path.read_text()
    code, said = exports.officer.verify(path)
    assert code == 0, said
    assert "Receipt of event 7" in said


def test_without_a_key_of_ones_own_the_file_only_fits_itself_and_says_so(
    exports: Exports,
) -> None:
    code, said = exports.officer.verify(exports.whole(), trusting=False)
    assert code == 0
    assert "You named no key" in said
    assert exports.officer.key in said


Change = Callable[[list[Json]], None]


def _edit(name: str, value: object) -> Change:
    def change(lines: list[Json]) -> None:
        entries(lines)[4][name] = value

    return change


def _swap(lines: list[Json]) -> None:
    first = lines.index(entries(lines)[4])
    lines[first], lines[first + 1] = lines[first + 1], lines[first]


def _drop(lines: list[Json]) -> None:
    lines.remove(entries(lines)[4])


def _cut(lines: list[Json]) -> None:
    del lines[-3:]


def _cut_and_count(lines: list[Json]) -> None:
    del lines[-3:]
    lines[0]["events"] -= 3


def _twice(lines: list[Json]) -> None:
    lines.insert(lines.index(entries(lines)[4]), dict(entries(lines)[4]))


def _headless(lines: list[Json]) -> None:
    lines[:] = [line for line in lines if "head" not in line]


def _other_root(lines: list[Json]) -> None:
    head = next(line for line in lines if "head" in line)
    parts = head["head"].split("\n")
    parts[2] = "A" * 43 + "="
    head["head"] = "\n".join(parts)


def _without_last_head(lines: list[Json]) -> None:
    """All that the heads before do not cover may be anything, if nobody looks."""
    last = max(number for number, line in enumerate(lines) if "head" in line)
    del lines[last]
    forged = entries(lines)[-1]
    forged["context"] = '{"actor":"nobody"}'
    context = sha256(base64.b64decode(forged["salt"]) + forged["context"].encode()).digest()
    numbers = struct.pack(">xqqq", forged["position"], forged["version"], forged["at"])
    header = sha256(forged["header"].encode()).digest()
    leaf = sha256(numbers + header + context + base64.b64decode(forged["body"])).digest()
    forged["leaf"] = base64.b64encode(leaf).decode()


def _longer(lines: list[Json]) -> None:
    """One event more than the last head has, with a leaf of its own."""
    more = dict(entries(lines)[-1])
    more["position"] += 1
    numbers = struct.pack(">xqqq", more["position"], more["version"], more["at"])
    context = sha256(base64.b64decode(more["salt"]) + more["context"].encode()).digest()
    header = sha256(more["header"].encode()).digest()
    leaf = sha256(numbers + header + context + base64.b64decode(more["body"])).digest()
    more["leaf"] = base64.b64encode(leaf).decode()
    lines.append(more)
    lines[0]["events"] += 1


CHANGES: dict[str, tuple[Change, str]] = {
    "header": (_edit("header", "{}"), "event 5 is not as it was written"),
    "context": (_edit("context", '{"actor":"nobody"}'), "event 5 is not as it was written"),
    "body": (_edit("body", "A" * 43 + "="), "event 5 is not as it was written"),
    "salt": (_edit("salt", "A" * 22 + "=="), "event 5 is not as it was written"),
    "version": (_edit("version", 99), "event 5 is not as it was written"),
    "time": (_edit("at", 0), "event 5 is not as it was written"),
    "position": (_edit("position", 6), "after event 4 comes event 6"),
    "leaf": (_edit("leaf", "A" * 43 + "="), "event 5 is not as it was written"),
    "what is no base64": (_edit("salt", "***"), "is damaged"),
    "reordered": (_swap, "after event 4 comes event 6"),
    "dropped": (_drop, "after event 4 comes event 6"),
    "cut off": (_cut, "are here"),
    "cut off with its count": (_cut_and_count, "events, "),
    "twice": (_twice, "after event 5 comes event 5"),
    "without heads": (_headless, "there is no signed head"),
    "without the last head": (_without_last_head, "the last head is of"),
    "longer than its head": (_longer, "the last head is of"),
    "another root": (_other_root, "is not signed by the log's key"),
}


@pytest.fixture
def whole(exports: Exports) -> Path:
    return exports.whole()


def test_whatever_is_changed_in_an_export_is_found_and_named(exports: Exports, whole: Path) -> None:
    assert exports.officer.findings(whole) == []
    for name, (change, words) in CHANGES.items():
        copy = exports.officer.changed(whole, change)
        code, said = exports.officer.verify(copy)
        assert code == 1, name
        assert words in said, name
        assert said.endswith("NOT AS WRITTEN\n")


def test_a_key_of_somebody_else_is_not_the_log_s(exports: Exports, whole: Path) -> None:
    (other,) = exports.console.lines("heads", "--tenant", "lakeside", "--json")
    stranger = type(exports.officer)(exports.officer.folder, other["key"])
    code, said = stranger.verify(whole)
    assert code == 1
    assert "not signed by the log's key" in said


def test_a_changed_part_and_a_changed_receipt_are_found(exports: Exports) -> None:
    part = exports.export("part.jsonl", "--actor", "olga")
    receipt = exports.receipt(9)

    def paths(lines: list[Json]) -> None:
        first = entries(lines)[0]
        first["path"] = [*first["path"][1:], first["path"][0]]

    def since(lines: list[Json]) -> None:
        heads = [line for line in lines if "head" in line]
        heads[1]["since"] = heads[1]["since"][:-1]

    for alter in (paths, since):
        assert exports.officer.verify(exports.officer.changed(part, alter))[0] == 1
    told = json.loads(receipt.read_text())
    for change in (
        {"context": "A" * 43 + "="},
        {"position": 10},
        {"at": 1},
        {"at": 10**18},
        {"header": "{}"},
        {"header": "[]"},
    ):
        receipt.write_text(json.dumps(told | change))
        assert exports.officer.verify(receipt)[0] == 1, change


def test_a_flipped_byte_anywhere_is_never_taken_for_the_log(exports: Exports, whole: Path) -> None:
    """Beyond the first line, which says of what the file is and is not signed."""
    chance = random.Random(20)
    content = whole.read_bytes()
    begin = content.index(b"\n") + 1
    for _ in range(60):
        place = chance.randrange(begin, len(content))
        changed = bytearray(content)
        changed[place] ^= 1 << chance.randrange(7)
        copy = exports.officer.folder / "flipped.jsonl"
        copy.write_bytes(changed)
        code, said = exports.officer.verify(copy)
        meant = json_of(content) == json_of(bytes(changed))
        assert (code == 0) == meant, (place, said)


def json_of(content: bytes) -> list[object] | None:
    try:
        return [json.loads(line) for line in content.decode().split("\n")[1:-1]]
    except ValueError:
        return None


def test_what_is_said_for_machines_tells_whether_a_key_was_named(exports: Exports) -> None:
    path = exports.whole()
    assert path.stat().st_mode & 0o077 == 0
    for trusting in (True, False):
        _, said = exports.officer.verify(path, "--json", trusting=trusting)
        assert json.loads(said) == {"ok": True, "wrong": [], "key_named": trusting}


def test_what_is_no_export_is_refused(exports: Exports) -> None:
    path = exports.officer.folder / "other.json"
    for content in ("", "[]", '{"format":"other"}', "no json", '{"format":"anamnesis-audit/1"}'):
        path.write_text(content)
        assert exports.officer.verify(path, trusting=False)[0] == 2
    assert exports.officer.verify(exports.officer.folder / "nowhere")[0] == 2


def test_an_export_says_what_it_needs_and_overwrites_nothing(exports: Exports) -> None:
    path = exports.whole()
    for words in (
        (str(path), "--all"),
        (str(path.with_name("new")),),
        (str(path.with_name("new")), "--all", "--actor", "olga"),
    ):
        exports.console.run("audit", "export", *words, *HERE, code=2)
    nobody = ("--actor", "nobody-of-this-name")
    exports.console.run("audit", "export", str(path.with_name("n")), *nobody, *HERE, code=1)
    nowhere = str(path.parent / "nowhere" / "x")
    exports.console.run("audit", "export", nowhere, "--all", *HERE, code=1)
    exports.console.run("audit", "receipt", "99999", str(path.with_name("n")), *HERE, code=1)
    assert [one.name for one in path.parent.iterdir() if one.is_file()] == [path.name]


def test_tiles_of_the_log_are_written_and_brought_up_to_date(exports: Exports) -> None:
    folder = exports.officer.folder / "tiles"
    console, tenant = exports.console, ("--tenant", "riverside")
    (first,) = console.lines("audit", "tiles", str(folder), *tenant, "--json")
    assert first["events"] == console.head()
    exports.whole()
    (second,) = console.lines("audit", "tiles", str(folder), *tenant, "--json")
    assert second["events"] == console.head() == first["events"] + 1
    checkpoint = (folder / "checkpoint").read_text()
    assert checkpoint.split("\n")[1] == str(second["events"])
    width = second["events"] % 256
    number = second["events"] // 256
    tile = (folder / f"tile/0/{number:03}.p/{width}").read_bytes()
    entries = (folder / f"tile/entries/{number:03}.p/{width}").read_bytes()
    assert len(entries) == width * 122
    places = range(0, len(entries), 122)
    hashed = [sha256(b"\x00" + entries[at + 2 : at + 122]).digest() for at in places]
    assert b"".join(hashed) == tile
    (folder / "checkpoint").write_text(checkpoint.replace("riverside", "lakeside"))
    said = console.run("audit", "tiles", str(folder), *tenant, code=1).output
    assert "TilesStale" in said
