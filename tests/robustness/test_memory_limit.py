"""``--memory-limit``: a stage that needs more ends with an error and nothing half-written."""

import pytest


@pytest.mark.parametrize("stage", ["preprocess", "embed", "train"])
def test_a_limit(stage, shop, warm, arguments, tmp_path, leftover_files):
    folder = shop.before(stage, tmp_path / "limited")
    ended = warm(*arguments[stage], "--memory-limit", "1MiB", cwd=folder)
    assert ended.code == 1, ended
    assert f"error: {stage} holds " in ended.err and "hint: " in ended.err
    assert "Traceback" not in ended.err
    assert leftover_files(folder) == []
    assert shop.differing(stage, folder) == []
    ended = warm(*arguments[stage], "--memory-limit", "100GiB", cwd=folder)
    assert ended.code == 0, ended.err
    assert shop.unlike(stage, folder) == []
