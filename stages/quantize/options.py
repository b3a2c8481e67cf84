"""The options of ``quantize``."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from stages.artifacts.errors import DataError, UsageError
from stages.frame.machine import LOCAL, Address, Engine, Threads, check_engine
from stages.frame.options import Option, Options, declarations

METHODS = ("pq", "rq")
CODES = "Codes"


@dataclass(frozen=True)
class QuantizeOptions(Options):
    """How vectors become codes; see :func:`stages.quantize.quantize`."""

    method: Annotated[
        str, Option("Product (pq) or residual (rq) quantization of each view.", CODES, choices=METHODS)
    ] = "pq"
    levels: Annotated[int, Option("Codes per view.", CODES, min=1, limit=4096, metavar="N")] = 4
    codebook_size: Annotated[
        int,
        Option(
            "Codes to choose from at each position; a view with fewer distinct vectors has one for each.",
            CODES,
            min=2,
            max=65536,
            metavar="K",
        ),
    ] = 256
    text_dim: Annotated[
        int,
        Option(
            "Dimensions left by the PCA whitening of each view.",
            CODES,
            min=1,
            limit=65536,
            metavar="D",
            former=("dimension",),
        ),
    ] = 128
    codebooks: Annotated[
        Path | None,
        Option(
            "Code the items with the whitening and codebooks of this quantizer.safetensors; fit nothing.",
            CODES,
            metavar="FILE",
            unset="fit new ones",
            recorded=False,
            searched=False,
        ),
    ] = None
    refit: Annotated[
        bool | None,
        Option(
            "Fit new codebooks, or code with those of the work directory.",
            CODES,
            unset="keep them where the catalogue was extended and they fit the options",
            recorded=False,
            searched=False,
        ),
    ] = None
    # faiss' seeds are 32-bit, and each level takes one of its own.
    seed: Annotated[
        int,
        Option("Seed of all random choices.", CODES, min=0, limit=2**31 - 2**16 - 1, metavar="N", searched=False),
    ] = 0
    threads: Threads = None
    engine: Engine = LOCAL
    address: Address = None

    def check(self) -> None:
        """Refuse levels that do not divide the dimensions into equal slices, and an address without a cluster.

        Raises:
            UsageError: naming values that work.
        """
        check_engine(self.engine, self.address)
        if self.codebooks is not None and self.refit is not None:
            raise UsageError("--codebooks names the codebooks, --refit and --no-refit choose them", "Give one of them.")
        if self.refit is False:
            return
        if self.method == "rq" or self.codebooks is not None or self.text_dim % self.levels == 0:
            return
        below = self.text_dim // self.levels * self.levels
        dimensions = [str(d) for d in (below, below + self.levels) if d]
        divisors = [n for n in range(1, self.text_dim + 1) if self.text_dim % n == 0]
        near = sorted(sorted(divisors, key=lambda n: abs(n - self.levels))[:2])
        raise UsageError(
            f"--levels {self.levels} does not divide --text-dim {self.text_dim} into equal slices",
            f"Use --text-dim {' or '.join(dimensions)}, or --levels {' or '.join(map(str, near))}.",
        )

    def of_codebooks(self, saved: Mapping[str, Any], codebooks: Path) -> "QuantizeOptions":
        """The options that the saved ``codebooks`` were fitted with, which then hold.

        Args:
            saved: their recorded options.
            codebooks: their file.

        Raises:
            UsageError: when an option asks for something else than its default and than the codebooks have.
            DataError: when their options are none.
        """
        own = [declared for declared in declarations(QuantizeOptions) if declared.option.recorded]
        for declared in own:
            asked = getattr(self, declared.name)
            if asked != declared.default and asked != saved.get(declared.name):
                made = saved.get(declared.name)
                raise UsageError(
                    f"{declared.flag} {asked}: the codebooks {codebooks} were made with {made}",
                    "Leave the option out to code with these codebooks, or make new ones with --refit.",
                )
        try:
            return replace(self, **{one.name: saved[one.name] for one in own if one.name in saved})
        except UsageError as error:
            raise DataError(
                f"{self.codebooks} says that it was made with options that there are not: {error.message}",
                "Give --codebooks a quantizer.safetensors that `cocorec quantize` wrote.",
            ) from error
