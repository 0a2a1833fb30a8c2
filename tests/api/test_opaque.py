"""Opaque ids and tokens: they come back in their tenant and kind, and nowhere else."""

import string
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.opaque import OpaqueIds, TokenInvalid
from domain.kernel.refusal import NotFound

HERE = OpaqueIds("riverside", b"h" * 32)
THERE = OpaqueIds("lakeside", b"h" * 32)
OTHER_SECRET = OpaqueIds("riverside", b"o" * 32)
KINDS = ("chart", "result", "condition", "account")
uuids = st.uuids().map(str)
kinds = st.sampled_from(KINDS)
texts = st.text(string.printable + "äß€", max_size=80)


@given(kinds, uuids)
def test_an_id_comes_back_as_it_went(kind: str, ident: str) -> None:
    hidden = HERE.hide(kind, ident)
    assert HERE.reveal(kind, hidden) == ident
    assert HERE.hide(kind, ident) == hidden
    assert len(hidden) == len(kind) + 1 + 22
    assert ident not in hidden


@given(kinds, uuids)
def test_an_id_of_another_tenant_or_secret_is_never_the_same_and_never_comes_back(
    kind: str, ident: str
) -> None:
    for other in (THERE, OTHER_SECRET):
        assert other.hide(kind, ident) != HERE.hide(kind, ident)
        assert other.reveal(kind, HERE.hide(kind, ident)) != ident


@given(uuids)
def test_an_id_of_another_kind_is_refused_and_its_block_differs(ident: str) -> None:
    blocks = {HERE.hide(kind, ident).partition("_")[2] for kind in KINDS}
    assert len(blocks) == len(KINDS)
    for kind in KINDS[1:]:
        with pytest.raises(NotFound):
            HERE.reveal("chart", HERE.hide(kind, ident))


@given(uuids, uuids)
def test_two_ids_never_share_a_face(one: str, other: str) -> None:
    same = HERE.hide("chart", one) == HERE.hide("chart", other)
    assert same == (one == other)


@given(texts)
def test_a_text_that_is_no_id_is_not_found(text: str) -> None:
    try:
        assert UUID(HERE.reveal("chart", text))
    except NotFound:
        return
    assert text.startswith("chart_")


@pytest.mark.parametrize("text", ["", "_", "chart", "chart_", "chart_AAAA", "chart_" + "é" * 22])
def test_a_damaged_id_is_not_found(text: str) -> None:
    with pytest.raises(NotFound):
        HERE.reveal("chart", text)


@given(texts)
def test_a_token_comes_back_as_it_went(text: str) -> None:
    assert HERE.unseal("cursor", HERE.seal("cursor", text)) == text


@given(texts)
def test_a_token_of_another_tenant_secret_or_kind_is_refused(text: str) -> None:
    token = HERE.seal("cursor", text)
    for other, kind in ((THERE, "cursor"), (OTHER_SECRET, "cursor"), (HERE, "position")):
        with pytest.raises(TokenInvalid):
            other.unseal(kind, token)


@given(texts, st.data())
def test_a_token_with_one_other_character_is_refused(text: str, data: st.DataObject) -> None:
    token = HERE.seal("cursor", text)
    # The last character may carry unused bits, so it is left alone here.
    place = data.draw(st.integers(0, len(token) - 2))
    other = data.draw(st.sampled_from(sorted(set(string.ascii_letters) - {token[place]})))
    with pytest.raises(TokenInvalid):
        HERE.unseal("cursor", token[:place] + other + token[place + 1 :])


@given(texts)
def test_a_text_that_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(TokenInvalid):
        HERE.unseal("cursor", text)


@given(st.binary(max_size=80))
def test_a_tag_stands_for_its_content_before_one_account_of_one_tenant(content: bytes) -> None:
    tag = HERE.tag("rosa", content)
    assert len(tag) == 22
    assert tag == HERE.tag("rosa", content)
    others = {
        HERE.tag("rosa", content + b"\0"),
        HERE.tag("omar", content),
        THERE.tag("rosa", content),
        OTHER_SECRET.tag("rosa", content),
    }
    assert len(others - {tag}) == 4
