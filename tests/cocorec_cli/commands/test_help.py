"""``cocorec help``: a command, the glossary, a word of it."""

import pytest


def test_of_a_command_is_the_commands_own(cli):
    assert cli("help", "train").out == cli("train", "--help").out
    assert cli("help", "train", "--all").out == cli("train", "--help-all").out
    assert cli("help").out == cli("--help").out


def test_the_glossary_and_a_word_of_it(cli):
    everything = cli("help", "glossary").out
    for word in ("view", "level", "dead code", "held-out error", "arp"):
        assert f"\n  {word} " in everything
    one = cli("help", "codes").out
    assert one.count("\n  codes ") == 1 and "arp" not in one
    assert cli("help", "View").out == cli("help", "views").out
    assert "average recommendation popularity" in cli("help", "ARP").out.lower()


@pytest.mark.parametrize(("word", "meant"), [("tarin", "train"), ("glosary", "glossary"), ("codebok", "codebook")])
def test_an_unknown_word_is_told_what_may_be_meant(cli, word, meant):
    outcome = cli("help", word)
    assert (outcome.code, outcome.out) == (2, "")
    assert f"did you mean {meant}?" in outcome.err
