"""The caps of docs: a module 400 lines, a test file 500, a class 120, a function 40, a line 100."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.contracts.tree import files, name

MODULE, TEST_FILE, CLASS, FUNCTION, LINE = 400, 500, 120, 40, 100

# Place -> why it may be longer. A place is `file`, `file:Class` or `file:function`.
EXCEPTIONS: dict[str, str] = {}


def test_every_python_file_class_function_and_line_is_within_its_cap() -> None:
    sources = files(suffix=".py")
    assert sources
    too_long = [excess for path in sources for excess in excesses(path)]
    assert [excess for excess in too_long if excess.split(" ")[0] not in EXCEPTIONS] == []


def test_every_exception_to_a_cap_is_still_needed() -> None:
    too_long = {excess.split(" ")[0] for path in files(suffix=".py") for excess in excesses(path)}
    assert set(EXCEPTIONS) - too_long == set()


def test_a_file_over_every_cap_is_reported_with_its_place_and_size(tmp_path: Path) -> None:
    path = tmp_path / "long.py"
    body = "".join(f"    x{n} = {n}\n" for n in range(500))
    path.write_text(f"class Long:\n{body}\ndef longer():\n{body}# {'w' * 99}\n")
    assert list(excesses(path, place="long.py")) == [
        "long.py has 1004 lines (cap 400)",
        "long.py:1004 has 101 characters (cap 100)",
        "long.py:Long has 501 lines (cap 120)",
        "long.py:longer has 501 lines (cap 40)",
    ]


def excesses(path: Path, place: str = "") -> Iterator[str]:
    """Sentences that begin with the place, one for each thing over its cap."""
    place = place or name(path)
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    cap = TEST_FILE if place.startswith("tests/") else MODULE
    if len(lines) > cap:
        yield f"{place} has {len(lines)} lines (cap {cap})"
    for number, line in enumerate(lines, start=1):
        if len(line) > LINE:
            yield f"{place}:{number} has {len(line)} characters (cap {LINE})"
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.ClassDef():
                cap = CLASS
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                cap = FUNCTION
            case _:
                continue
        size = (node.end_lineno or node.lineno) - node.lineno + 1
        if size > cap:
            yield f"{place}:{node.name} has {size} lines (cap {cap})"
