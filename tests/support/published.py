"""Published splits with histories, made up."""

from collections.abc import Iterable

HEADER = "user_id,parent_asin,rating,timestamp,history"


def rows_of(user: str, sequence: list[str], positions: Iterable[int], cut: int | None = None) -> list[str]:
    rows = []
    for position in positions:
        history = sequence[:position] if cut is None else sequence[max(0, position - cut) : position]
        rows.append(f"{user},{sequence[position]},5.0,{1000 + position},{' '.join(history)}")
    return rows


def last_out(sequence: list[str], train: Iterable[int], cut: int | None = None) -> tuple[list[str], ...]:
    n = len(sequence)
    return tuple(rows_of("u", sequence, positions, cut) for positions in (train, [n - 2], [n - 1]))
