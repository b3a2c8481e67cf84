from benchmarks.quality.command import run


def test_a_failure_is_told_with_its_code_cost_and_words(tmp_path):
    seen = []
    log = tmp_path / "train.log"
    log.write_text("earlier\n")
    outcome = run(["train", "--workdir", str(tmp_path / "w")], log, lambda line, pid: seen.append((line, pid)))
    assert outcome.code == 3
    assert not outcome.skipped
    assert 0 < outcome.cpu_seconds < 60
    assert outcome.wall_seconds > 0
    assert "does not exist" in outcome.errors
    assert log.read_text() == "earlier\n" + "".join(line for line, _ in seen)
    assert len({pid for _, pid in seen}) == 1
