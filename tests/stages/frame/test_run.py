"""The steps around the work of every stage."""

import logging
import time

import pyarrow as pa
import pytest
from recording import Recorder

from stages.artifacts.errors import DataError
from stages.artifacts.fingerprints import Fingerprints
from stages.artifacts.lineage import Lineage
from stages.artifacts.names import CODES, EMBEDDINGS, ITEMS, QUANTIZER
from stages.artifacts.tables import write_table
from stages.frame.run import StageRun
from stages.quantize import QuantizeOptions
from stages.quantize.file import save_quantizer

TABLE = pa.table({"item": [1, 2]})


@pytest.fixture
def workdir(tmp_path):
    """Items, and embeddings that were made from them."""
    write_table(tmp_path / ITEMS, TABLE, Lineage("preprocess", {}, {}))
    inputs = {ITEMS: Fingerprints(tmp_path).of_contents(tmp_path / ITEMS)}
    write_table(tmp_path / EMBEDDINGS, TABLE, Lineage("embed", {}, inputs))
    return tmp_path


def started(workdir, **options):
    run = StageRun("quantize", QuantizeOptions(**options), workdir, None)
    run.read(EMBEDDINGS)
    return run


def finish(run, facts):
    lineage = run.lineage(facts)
    save_quantizer(run.path(QUANTIZER), {}, lineage)
    write_table(run.path(CODES), TABLE, lineage)
    return run.result(facts)


def test_inputs_are_recorded_by_what_they_say(workdir):
    run = started(workdir)
    assert run.inputs == {EMBEDDINGS: Fingerprints(workdir).of_contents(workdir / EMBEDDINGS)}
    assert run.inputs[EMBEDDINGS].startswith("content-sha256:")


def test_a_missing_input_names_its_stage(tmp_path):
    with pytest.raises(DataError, match=r"embeddings.parquet does not exist\nRun `cocorec embed` first"):
        started(tmp_path)


def test_inputs_that_do_not_belong_together_are_refused(workdir):
    write_table(workdir / ITEMS, pa.table({"item": [1, 2, 3]}), Lineage("preprocess", {}, {}))
    with pytest.raises(DataError, match=r"embeddings.parquet was made from another items.parquet.*\n.*cocorec embed"):
        started(workdir)


def test_inputs_from_outside_of_one_name_are_numbered(workdir):
    run = started(workdir)
    for fingerprint in ("sha256:a", "sha256:b", "sha256:c"):
        run.read_raw("log.csv", fingerprint)
    raw = {name: found for name, found in run.inputs.items() if name.startswith("raw:")}
    assert raw == {"raw:log.csv": "sha256:a", "raw:log.csv#2": "sha256:b", "raw:log.csv#3": "sha256:c"}


def test_what_was_made_of_the_same_is_fresh(workdir):
    assert started(workdir).fresh() is None
    made = finish(started(workdir), {"codes": 2})
    found = started(workdir).fresh()
    assert found is not None and found.skipped and not made.skipped
    assert (found.stage, found.facts, found.outputs) == ("quantize", {"codes": 2}, made.outputs)
    assert set(found.outputs) == {CODES, QUANTIZER}


def test_options_that_are_not_recorded_make_nothing_stale(workdir):
    finish(started(workdir), {})
    assert started(workdir, threads=2).fresh()
    assert started(workdir, levels=2).fresh() is None


def test_other_inputs_make_it_stale(workdir):
    finish(started(workdir), {})
    run = started(workdir)
    run.read_raw("books.safetensors", "sha256:a")
    assert run.fresh() is None
    inputs = {ITEMS: Fingerprints(workdir).of_contents(workdir / ITEMS)}
    write_table(workdir / EMBEDDINGS, pa.table({"item": [2, 1]}), Lineage("embed", {}, inputs))
    assert started(workdir).fresh() is None


def test_other_facts_and_options_of_the_input_leave_it_fresh(workdir):
    finish(started(workdir), {})
    inputs = {ITEMS: Fingerprints(workdir).of_contents(workdir / ITEMS)}
    before = (workdir / EMBEDDINGS).read_bytes()
    lineage = Lineage("embed", {"batch": 7}, inputs, {"seconds": 3})
    write_table(workdir / EMBEDDINGS, TABLE, lineage, compression="none")
    assert (workdir / EMBEDDINGS).read_bytes() != before
    assert started(workdir).fresh()


def test_a_missing_output_makes_it_stale(workdir):
    finish(started(workdir), {})
    (workdir / QUANTIZER).unlink()
    assert started(workdir).fresh() is None


def test_the_lineage_has_what_the_stage_resolved(workdir):
    run = started(workdir, levels=2)
    run.recorded["method"] = "as found"
    lineage = run.lineage({"codes": 1})
    assert (lineage.stage, lineage.inputs, lineage.facts) == ("quantize", run.inputs, {"codes": 1})
    assert lineage.options == {**QuantizeOptions(levels=2).recorded(), "method": "as found"}


def test_warnings_are_told_at_once_and_with_the_result(workdir):
    heard = Recorder()
    run = StageRun("quantize", QuantizeOptions(), workdir, heard)
    run.warn("few items")
    assert heard.warnings == ["few items"]
    assert run.result({}).warnings == ("few items",)


def test_without_a_reporter_warnings_are_logged(workdir, caplog):
    with caplog.at_level(logging.WARNING, "cocorec"):
        started(workdir).warn("few items")
    assert caplog.messages == ["few items"]


def test_seconds_add_up_even_where_the_work_fails(workdir):
    run = started(workdir)
    for _ in range(2):
        with run.measure("fit"):
            time.sleep(0.01)
    with pytest.raises(KeyError), run.measure("fit"):
        time.sleep(0.01)
        raise KeyError
    assert run.seconds["fit"] >= 0.03
    timings = run.result({}, rates={"items_per_second": 5.0}).timings
    assert timings["fit"] == run.seconds["fit"] <= timings["total"]
    assert timings["items_per_second"] == 5.0
