from pathlib import Path

from cocorec_cli.glossary import entry_of, glossary
from stages.metrics.lists import list_metrics


def test_it_is_the_table_in_the_readme():
    text = (Path(__file__).parents[2] / "cocorec_cli" / "README.md").read_text(encoding="utf-8")
    rows = text.partition("| term | meaning |")[2].strip().splitlines()[1:]
    assert len(glossary()) == len(rows) == len({term for term, _ in glossary()})
    assert all(text.endswith(".") and "`" not in text for _, text in glossary())


def test_words_are_found_in_every_form():
    assert entry_of("Dead-Codes") == entry_of("dead code") is not None
    assert entry_of("stale") == entry_of("fresh, stale") is not None
    assert entry_of("nothing") is None


def test_it_explains_the_measures_of_lists():
    import numpy as np

    for name in list_metrics(np.ones((1, 1), int), np.ones(2, int)):
        assert entry_of(name), name
