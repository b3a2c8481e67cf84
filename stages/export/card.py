"""The model card, ``model/README.md``: what a hub shows of a model, and what people have to know before they use it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.artifacts.atomic import atomic_path, read_json
from stages.artifacts.card import card_text
from stages.artifacts.errors import DataError
from stages.artifacts.lineage import RAW, Lineage, difference, read_lineage
from stages.artifacts.names import (
    CODES,
    EMBEDDINGS,
    ITEMS,
    METRICS,
    MODEL_CARD,
    MODEL_CONFIG,
    MODEL_WEIGHTS,
    QUANTIZER,
    SEQUENCES,
)
from stages.frame.run import StageRun
from stages.model.files import read_config

_TASK = "sequential-recommendation"

_USE = """## Use

The folder that holds this file is all of the model. With a work directory of `cocorec preprocess` and `embed`, whose
texts were embedded as told below:

{codes}    cocorec recommend --model-from FOLDER

{items}
"""

_CODES = "    cocorec quantize --codebooks FOLDER/quantizer.safetensors\n"

_BY_ID = "The model has vectors of its own for items, which it finds by the ids in `items.parquet`."
_BY_CONTENT = "Items are known by what describes them, so that they may be others than those it was trained on."


def write_card(run: StageRun, license: str, beside: Collection[str] = ()) -> bool:
    """Write the card, unless somebody has changed the one that is there.

    Args:
        run: of the stage, the model noted as an input.
        license: an identifier of the hub.
        beside: files beside the model that others need, see :mod:`stages.export.companions`.

    Returns:
        Whether it was written.

    Raises:
        DataError: when an artifact is damaged, or the folder cannot be written.
    """
    path = run.path(MODEL_CARD)
    if path.exists() and not _ours(path):
        run.warn(f"{path} is not as `cocorec export` wrote it, and stays; delete it to have it written again")
        return False
    lineage = _lineage(run, license)
    metrics = read_json(run.path(METRICS)) if METRICS in lineage.inputs else None
    if metrics is None:
        run.warn("the model card has no metrics; run `cocorec evaluate`, then export again")
    told = {name: found for name in (SEQUENCES, EMBEDDINGS, CODES, MODEL_CONFIG) if (found := _made_by(run, name))}
    model = read_config(run.workdir).model
    text = card_text(
        lineage.metadata_text(),
        _front_matter(model, license, told, metrics),
        _body(model, license, told, metrics, beside),
    )
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return True


def fresh_card(run: StageRun, license: str) -> bool:
    """Whether a card is there that says what would be said now."""
    try:
        lineage = read_lineage(run.path(MODEL_CARD))
    except DataError:
        return False
    wanted = _lineage(run, license)
    return lineage is not None and difference(lineage, wanted.options, wanted.inputs) is None


def _ours(path: Path) -> bool:
    """Whether a card is still what was written."""
    try:
        return read_lineage(path) is not None
    except DataError:
        return False


def _lineage(run: StageRun, license: str) -> Lineage:
    """Where the card comes from: the model, and as far as they belong to it, its data and its metrics."""
    inputs = {name: run.inputs[name] for name in (MODEL_CONFIG, MODEL_WEIGHTS)}
    trained = read_lineage(run.path(MODEL_CONFIG))
    measured = read_lineage(run.path(METRICS)) if run.path(METRICS).exists() else None
    weights = run.path(MODEL_WEIGHTS)
    found = measured.inputs.get(MODEL_WEIGHTS) if measured else None
    if found is not None and run.fingerprints.like(weights, found) == found:
        inputs[METRICS] = run.fingerprints.of_contents(run.path(METRICS))
    data = trained.inputs.get(SEQUENCES) if trained else None
    if data and run.path(SEQUENCES).exists() and run.fingerprints.like(run.path(SEQUENCES), data) == data:
        inputs[SEQUENCES] = data
    return Lineage("export", {"license": license}, inputs)


def _made_by(run: StageRun, name: str) -> Lineage | None:
    return read_lineage(run.path(name)) if run.path(name).exists() else None


def _front_matter(model: str, license: str, told: Mapping[str, Lineage], metrics: Mapping[str, Any] | None) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    results = []
    for name, value in (metrics or {}).get("metrics", {}).items():
        data = ", ".join(_sources(told)) or "unknown"
        results.append(
            EvalResult(
                task_type=_TASK,
                dataset_type="interactions",
                dataset_name=_plain(data),
                dataset_split=str((metrics or {}).get("split")),
                metric_type=name,
                metric_value=round(float(value["mean"]), 6),
            )
        )
    card = ModelCardData(
        license=license,
        library_name="cocorec",
        tags=[_TASK, "recommender-system", model],
        model_name=f"cocorec {model}" if results else None,
        eval_results=results or None,
    )
    return str(card.to_yaml())


def _body(
    model: str,
    license: str,
    told: Mapping[str, Lineage],
    metrics: Mapping[str, Any] | None,
    beside: Collection[str],
) -> str:
    trained = told.get(MODEL_CONFIG)
    version = f" {trained.version}" if trained else ""
    parts = [
        f"# A sequential recommender: {model}\n\nTrained with cocorec{version}. It reads the last items of a "
        "person and ranks\nall items of a catalogue by what comes next.\n",
        _data(told),
        _measured(metrics),
        _USE.format(codes=_CODES if QUANTIZER in beside else "", items=_BY_ID if ITEMS in beside else _BY_CONTENT),
        _options(told),
        f"## Licence\n\n{_plain(license)}\n",
    ]
    return "\n".join(parts)


def _data(told: Mapping[str, Lineage]) -> str:
    """The data, in one table."""
    facts = told[SEQUENCES].facts if SEQUENCES in told else {}
    names = ("users", "items", "interactions", "train_interactions", "valid_interactions", "test_interactions")
    rows = [(name.replace("_", " "), f"{facts[name]:,}") for name in names if isinstance(facts.get(name), int)]
    sources = _sources(told)
    rows = [*([("made from", ", ".join(map(_code, sources)))] if sources else []), *rows]
    return "## Data\n\n" + (_table(["", ""], rows) if rows else "Nothing is recorded of the data.\n")


def _sources(told: Mapping[str, Lineage]) -> list[str]:
    """Names of the raw inputs."""
    inputs = told[SEQUENCES].inputs if SEQUENCES in told else {}
    return sorted(name.removeprefix(RAW) for name in inputs if name.startswith(RAW))


def _measured(metrics: Mapping[str, Any] | None) -> str:
    """Protocol and metrics with their intervals."""
    if metrics is None:
        return "## Metrics\n\nThe model has not been evaluated.\n"
    text = (
        f"## Metrics\n\nThe {metrics['split']} split: {metrics['targets']:,} items to be found by "
        f"{metrics['users']:,} users, each ranked against all {metrics['items']:,} items of the\ncatalogue; ties count "
        "against the item. Means over users with 95 % bootstrap intervals; popularity for comparison.\n"
    )
    protocols = metrics.get("protocols") or {"exclude_seen" if metrics.get("exclude_seen") else "all_items": metrics}
    titles = {"all_items": "All items ranked", "exclude_seen": "Items of the history left out"}
    for name, found in protocols.items():
        rows = [
            (metric, _interval(value), _interval(found["popularity"].get(metric)))
            for metric, value in found["metrics"].items()
        ]
        text += f"\n{titles.get(name, name)}:\n\n" + _table(["metric", "model", "popularity"], rows)
    return text


def _interval(value: Any) -> str:
    return f"{value['mean']:.4f} ({value['low']:.4f} to {value['high']:.4f})" if value else "-"


def _options(told: Mapping[str, Lineage]) -> str:
    """What each file was made with."""
    rows = [
        (_code(lineage.stage), _code(name), _code(str(value)))
        for lineage in told.values()
        for name, value in sorted(lineage.options.items())
        if value is not None and value not in ("", [])
    ]
    return "## Options\n\n" + _table(["stage", "option", "value"], rows)


def _table(columns: Sequence[str], rows: Sequence[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in _lines(columns, rows)]
    return "\n".join(lines) + "\n"


def _lines(columns: Sequence[str], rows: Sequence[tuple[str, ...]]) -> Iterator[Sequence[str]]:
    yield columns
    yield ["---"] * len(columns)
    yield from ([cell.replace("|", "\\|") for cell in row] for row in rows)


def _code(text: str) -> str:
    """A text of data as Markdown shows it and obeys nothing of it."""
    return f"`{_plain(text)}`"


def _plain(text: str) -> str:
    return "".join(one if one.isprintable() else f"\\x{ord(one):02x}" for one in text.replace("`", "'"))
