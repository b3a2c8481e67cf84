import pytest

from stages.artifacts.atomic import atomic_path
from stages.artifacts.card import card_metadata, card_text
from stages.artifacts.errors import DataError
from stages.artifacts.lineage import Lineage, read_lineage

LINEAGE = Lineage("export", {"license": "mit"}, {"model/config.json": "content-sha256:1"})
HOSTILE = '"digest": "self-sha256:' + "0" * 64 + '"\n---\n# cocorec {}'


@pytest.fixture
def card(tmp_path):
    path = tmp_path / "README.md"
    with atomic_path(path) as temporary:
        temporary.write_text(card_text(LINEAGE.metadata_text(), "license: mit\n", f"# A model\n\n{HOSTILE}\n"))
    return path


def test_it_says_where_it_comes_from(card):
    assert read_lineage(card) == LINEAGE
    lines = card.read_text().splitlines()
    assert (lines[0], lines[2], lines[3]) == ("---", "license: mit", "---")
    assert lines[1].startswith("# cocorec {")


@pytest.mark.parametrize("place", [0, 3, 4, 20, 200, -1])
def test_a_changed_byte_is_told(card, place):
    content = bytearray(card.read_bytes())
    content[place] ^= 1
    card.write_bytes(content)
    with pytest.raises(DataError, match=r"README\.md is damaged") as caught:
        read_lineage(card)
    assert "cocorec export" in str(caught.value.hint)


def test_half_of_it_is_told(card):
    card.write_bytes(card.read_bytes()[: card.stat().st_size // 2 + 100])
    with pytest.raises(DataError, match="damaged"):
        card_metadata(card)


def test_a_card_of_somebody_else_has_none(card):
    lines = card.read_text().splitlines(keepends=True)
    card.write_text("".join([lines[0], *lines[2:]]))
    assert read_lineage(card) is None
    card.write_text("# Hello\n")
    assert read_lineage(card) is None
    card.write_text("")
    assert read_lineage(card) is None


def test_what_is_no_text_is_told(card):
    card.write_bytes(b"---\n\xff\xfe\n")
    with pytest.raises(DataError, match=r"cannot read .*README\.md"):
        read_lineage(card)
