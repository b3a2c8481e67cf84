"""Checking the options of the quantize stage before any work is done."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stages.artifacts.errors import UsageError
from stages.quantize.codebooks import METHODS


@dataclass(frozen=True)
class QuantizeOptions:
    """The options that decide the codes; each is documented at :func:`stages.quantize.quantize`."""

    method: str = "pq"
    levels: int = 4
    codebook_size: int = 256
    dimension: int = 128
    seed: int = 0

    def check(self) -> None:
        """Refuse what cannot work.

        Raises:
            UsageError: naming the option and values that work.
        """
        if self.method not in METHODS:
            raise UsageError(f"--method {self.method} is not known", f"Use one of {', '.join(METHODS)}.")
        if self.levels < 1:
            raise UsageError(f"--levels {self.levels} is less than 1")
        if self.dimension < 1:
            raise UsageError(f"--dimension {self.dimension} is less than 1")
        if not 2 <= self.codebook_size <= 65_536:
            raise UsageError(f"--codebook-size {self.codebook_size} is not within 2..65536")
        if not 0 <= self.seed < 2**31 - 2**16:
            raise UsageError(f"--seed {self.seed} is not within 0..{2**31 - 2**16 - 1}")
        if self.method != "rq" and self.dimension % self.levels:
            below = self.dimension // self.levels * self.levels
            dimensions = [str(d) for d in (below, below + self.levels) if d]
            divisors = [n for n in range(1, self.dimension + 1) if self.dimension % n == 0]
            near = sorted(sorted(divisors, key=lambda n: abs(n - self.levels))[:2])
            raise UsageError(
                f"--levels {self.levels} does not divide --dimension {self.dimension} into equal slices",
                f"Use --dimension {' or '.join(dimensions)}, or --levels {' or '.join(map(str, near))}.",
            )

    def of_codebooks(self, name: str, saved: Mapping[str, Any]) -> "QuantizeOptions":
        """The options that saved codebooks were fitted with, which then hold.

        Args:
            name: what to call the codebooks in an error.
            saved: their options.

        Raises:
            UsageError: when an option asks for something else than its default and than the codebooks have.
        """
        for option in dataclasses.fields(self):
            asked = getattr(self, option.name)
            if asked != option.default and asked != saved.get(option.name):
                raise UsageError(
                    f"--{option.name.replace('_', '-')} {asked}: the codebooks {name} were made with "
                    f"{saved.get(option.name)}",
                    "Leave the option out to code with these codebooks, or leave --codebooks out to make new ones.",
                )
        known = {option.name: saved[option.name] for option in dataclasses.fields(self) if option.name in saved}
        return QuantizeOptions(**known)
