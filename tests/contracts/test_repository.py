"""What holds for every file of the repository."""

import ast
import re
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path

from tests.contracts.tree import OWN, ROOT, files, name

# Written so that no pattern matches its own line.
MACHINE_PATH = re.compile(r"(?<![\w.)}])/(?:work|root|home)/")
REGISTRY_HOST = re.compile(
    r"\b(?:pypi\.(?:org|io)|pythonhosted\.org|registry\.(?:npmjs|yarnpkg)\.|(?:deb|ftp)\.debian\.)"
)
CLOCK = re.compile(r"\b(?:datetime\.now|utcnow|date\.today|time\.time)\(")
SKIP = re.compile(r"pytest\.(?:skip|importorskip|xfail|mark\.(?:skip|skipif|xfail))\b")


def lines_matching(pattern: re.Pattern[str], paths: Iterable[Path]) -> list[str]:
    """`file:line: text` of every line in which the pattern is found."""
    return [
        f"{name(path)}:{number}: {line.strip()}"
        for path in paths
        for number, line in enumerate(
            path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1
        )
        if pattern.search(line)
    ]


def test_no_file_names_a_path_of_the_machine_it_was_written_on() -> None:
    assert lines_matching(MACHINE_PATH, files()) == []


def test_no_file_names_the_host_of_a_package_registry() -> None:
    assert lines_matching(REGISTRY_HOST, files()) == []


def test_every_module_begins_with_a_docstring() -> None:
    sources = files(suffix=".py")
    assert [name(path) for path in sources if not ast.get_docstring(parsed(path))] == []


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {path.parent for top in OWN for path in files(suffix=".py", under=top)}
    assert folders
    assert [name(folder) for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_the_changelog_has_a_section_for_what_is_not_released_yet() -> None:
    assert "\n## [Unreleased]\n" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_locked_library_has_an_exact_version_and_a_hash() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    requirements = text.replace("\\\n", " ").splitlines()
    assert requirements
    exact = re.compile(r"^[a-z0-9-]+(\[[a-z,]+\])?==\S+ .*--hash=sha256:[0-9a-f]{64}\b")
    assert [line for line in requirements if not exact.match(line)] == []


def test_every_dependency_is_locked() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = set(re.findall(r"^([a-z0-9-]+)==", text, flags=re.MULTILINE))
    assert {*runtime_dependencies(), "pytest", "setuptools"} - locked == set()


def test_the_import_contract_of_the_domain_names_every_dependency() -> None:
    contracts = project()["tool"]["importlinter"]["contracts"]
    [domain] = [c for c in contracts if c.get("source_modules") == ["domain"]]
    wanted = runtime_dependencies()
    imported = {
        module
        for module, distributions in packages_distributions().items()
        if wanted & {re.sub(r"[-_.]+", "-", one.lower()) for one in distributions}
    }
    assert imported
    assert imported - set(domain["forbidden_modules"]) == set()


def test_a_token_is_decoded_in_the_auth_package_only() -> None:
    # The reference of a measurement, and a peer that is not ours, decode as others do.
    allowed = ("api/auth/", "bench/idiomatic.py", "tests/adapters/keys/kms/fakes.py")
    sources = [path for path in files(suffix=".py") if not name(path).startswith(allowed)]
    assert lines_matching(re.compile(r"\bjwt\.decode\b"), sources) == []


def test_no_clock_is_read_below_the_api_and_the_adapters() -> None:
    pure = [
        p for top in ("domain", "projections", "schema") for p in files(suffix=".py", under=top)
    ]
    assert pure
    assert lines_matching(CLOCK, pure) == []


def test_no_test_is_skipped_or_expected_to_fail_but_where_only_root_can_do_it() -> None:
    # CI runs as root, and tests/conftest.py fails a run of CI that skipped anything.
    skipped = lines_matching(SKIP, files(suffix=".py", under="tests"))
    assert [line for line in skipped if "skipif(os.geteuid() != 0, reason=" not in line] == []


def project() -> dict[str, dict[str, dict[str, list[dict[str, list[str]]]]]]:
    """The project's own settings, typed as far as this module reads them."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def runtime_dependencies() -> set[str]:
    """Names of the libraries that the product or its demo needs, without extras and bounds."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = settings["dependencies"] + settings["optional-dependencies"]["demo"]
    return {re.split(r"[^a-z0-9-]", line, maxsplit=1)[0] for line in wanted}


def parsed(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))
