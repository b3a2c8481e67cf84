"""Which codebooks a catalogue is coded with."""

from collections.abc import Mapping
from pathlib import Path

from stages.artifacts.errors import DataError, UsageError, raise_shortage
from stages.quantize.file import SavedQuantizer, load_quantizer
from stages.quantize.options import QuantizeOptions


def choose_codebooks(
    options: QuantizeOptions, own: Path, dimensions: Mapping[str, int], *, grown: bool
) -> tuple[Path | None, str | None]:
    """The codebooks to code with, and why, where the user has not said so.

    Args:
        options: as they were given.
        own: ``quantizer.safetensors`` of the work directory.
        dimensions: of the views' vectors.
        grown: the catalogue was extended.

    Returns:
        ``None`` for new codebooks.
    """
    if options.codebooks is not None or options.refit is False:
        return options.codebooks or own, None
    if options.refit or not grown or not own.exists():
        return None, None
    try:
        saved = load_quantizer(own)
        options.of_codebooks(saved.options, own)
        require_views(own, saved, own.parent, dimensions)
    except (DataError, UsageError) as error:
        raise_shortage(error)
        return None, f"new codebooks are fitted, and models have to be trained again: {error.message}"
    return own, f"the catalogue was extended: it is coded with the codebooks of {own} (--refit fits new ones)"


def require_views(codebooks: Path, saved: SavedQuantizer, embeddings: Path, dimensions: Mapping[str, int]) -> None:
    """Refuse codebooks of other views or of vectors of other dimensions.

    Raises:
        DataError: naming what differs.
    """
    if set(saved.views) != set(dimensions):
        raise DataError(
            f"{codebooks} has codebooks for {', '.join(saved.views)}; {embeddings} has {', '.join(dimensions)}",
            f"Run `cocorec embed --views {','.join(saved.views)}`, or make new codebooks without --codebooks.",
        )
    for view, quantizer in saved.views.items():
        expected = len(quantizer.whitening.mean)
        if expected != dimensions[view]:
            raise DataError(
                f"{codebooks}: view {view!r} was fitted to vectors of {expected} dimensions; {embeddings} has "
                f"{dimensions[view]}",
                "Embed with the model that the codebooks were made with.",
            )
