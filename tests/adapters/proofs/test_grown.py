"""An old frontier and the leaves since are enough for every path from the old head to the new."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.proofs.grown import Grown
from adapters.proofs.merkle import Frontier
from adapters.proofs.paths import Leaves, consistency_path
from tests.adapters.proofs.test_merkle import numbered_leaves


@given(new=st.integers(1, 300), data=st.data())
def test_its_paths_are_those_of_the_whole_tree(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new))
    leaves = numbered_leaves(new)
    grown = Grown(Frontier.of(leaves[:old]), leaves[old:])
    assert consistency_path(grown, old, new) == consistency_path(Leaves(leaves), old, new)


def test_what_is_not_at_hand_is_refused() -> None:
    leaves = numbered_leaves(9)
    grown = Grown(Frontier.of(leaves[:6]), leaves[6:])
    with pytest.raises(LookupError):
        grown.perfect(0, 1)
    with pytest.raises(LookupError):
        grown.perfect(8, 1)
