"""The verifier against the published vectors of RFC 6962, wrong proofs among them."""

import importlib.util
from types import ModuleType

import pytest

from tests.adapters.proofs.test_paths import PUBLISHED, decoded, vectors
from tests.kit.conftest import KIT

pytestmark = pytest.mark.samples


@pytest.fixture(scope="module")
def kit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("kit_verify", KIT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_verifier_judges_every_published_inclusion_proof_as_published(
    kit: ModuleType,
) -> None:
    judged = 0
    for vector in vectors("inclusion"):
        path = [decoded(node) for node in vector["proof"] or ()]
        root, hashed = decoded(vector["root"]), decoded(vector["leafHash"])
        right = kit.includes(root, vector["treeSize"], vector["leafIdx"], hashed, path)
        assert right != vector["wantErr"], vector["desc"]
        judged += 1
    assert judged == PUBLISHED["inclusion"]


def test_the_verifier_judges_every_published_consistency_proof_as_published(
    kit: ModuleType,
) -> None:
    judged = 0
    for vector in vectors("consistency"):
        path = [decoded(node) for node in vector["proof"] or ()]
        old, new = decoded(vector["root1"]), decoded(vector["root2"])
        right = kit.extends(old, vector["size1"], new, vector["size2"], path)
        assert right != vector["wantErr"], vector["desc"]
        judged += 1
    assert judged == PUBLISHED["consistency"]
