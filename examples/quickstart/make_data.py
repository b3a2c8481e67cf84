"""Generate the quickstart data: ``catalogue.jsonl`` and ``log.csv.gz``, the same bytes for the same seed.

The shop is invented (see ``shop.py``), its customers behave as customers do: accessories follow what they belong to,
interests drift to neighbouring departments, people stay with a brand, a product line and a price tier, few products
sell much and many sell little. As in real data, some products lack a brand or a description, and texts carry HTML.

    python make_data.py [FOLDER]
"""

import gzip
import io
import json
import random
import sys
from bisect import bisect
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from shop import BRANDS, CONSUMABLES, DEPARTMENTS, FINISHES, LINES, NEIGHBOURS, QUALITIES, TIER_TEXTS

SEED = 20260101
CUSTOMERS = 3000
FIRST_DAY = 1_672_531_200  # 2023-01-01 in seconds
DAY = 86_400
DAYS = 1_000


@dataclass(frozen=True)
class Product:
    """One product and what decides who buys it."""

    number: int
    department: str
    kind: str
    purpose: str
    brand: str
    tier: int
    line: str
    title: str
    finish: str
    popularity: float


class Dice:
    """Random choices from uniform numbers alone, whose sequence Python guarantees for a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self._random() < probability

    def below(self, n: int) -> int:
        """An integer from 0 to n - 1."""
        return int(self._random() * n)

    def one(self, values):
        """Any of the values."""
        return values[self.below(len(values))]

    def weighted(self, values, weights):
        """One of the values, in proportion to the weights; weights beyond the values are not used."""
        weights = weights[: len(values)]
        total = list(accumulate(weights))
        return values[min(bisect(total, self._random() * total[-1]), len(values) - 1)]

    def shuffled(self, values):
        """The values in random order."""
        keyed = [(self._random(), value) for value in values]
        return [value for _, value in sorted(keyed, key=lambda pair: pair[0])]


def make_products(dice: Dice) -> list[Product]:
    """Every brand offers each kind of its departments in its one to three product lines."""
    drafts = []
    for number, (brand, tier, departments) in enumerate(BRANDS):
        lines = [LINES[(7 * number + step) % len(LINES)] for step in range(3)]
        for department in departments:
            for kind, purpose in DEPARTMENTS[department]:
                for line in lines[: 1 + dice.below(3)]:
                    finish = dice.one(FINISHES)
                    drafts.append((department, kind, purpose, brand, tier, line, dice.one(QUALITIES[tier]), finish))
    products = []
    # A long tail: the product of rank r sells in proportion to r ** -0.7.
    for rank, draft in enumerate(dice.shuffled(drafts), 1):
        department, kind, purpose, brand, tier, line, quality, finish = draft
        title = f"{brand} {line} {quality} {kind}, {finish}"
        products.append(Product(rank, department, kind, purpose, brand, tier, line, title, finish, rank**-0.7))
    numbers = dice.shuffled(range(1, len(products) + 1))
    return [Product(**{**vars(p), "number": n}) for p, n in zip(products, numbers, strict=True)]


def record(product: Product, dice: Dice) -> dict:
    """The product as the shop's export shows it, with the flaws of real exports."""
    description = (
        f"The {product.line} {product.kind.lower()} by {product.brand} {product.purpose}. {TIER_TEXTS[product.tier]}"
    )
    title = product.title
    if dice.chance(0.3):
        title, description = title.replace("&", "&amp;"), description.replace("&", "&amp;")
    if dice.chance(0.25):
        description = "<p>" + description.replace(". ", ".</p><p>") + "</p>"
    if dice.chance(0.1):
        description = description.replace(". ", ".<br>\n  ", 1)
    values = {
        "product_id": f"P{product.number:04d}",
        "title": title,
        "brand": None if dice.chance(0.08) else product.brand,
        "categories": [product.department, product.kind],
        "description": None if dice.chance(0.15) else description,
        "price": round((4 + len(product.purpose)) * (0.5, 1.0, 2.0)[product.tier] + dice.below(10) - 0.05, 2),
    }
    return {key: value for key, value in values.items() if value is not None}


class Customer:
    """Somebody with a price tier, favourite brands and a department to start from."""

    def __init__(self, dice: Dice, by_kind: dict[tuple[str, str], list[Product]]) -> None:
        self._dice = dice
        self._by_kind = by_kind
        self.tier = dice.weighted([0, 1, 2], [4, 4, 2])
        self.home = dice.weighted(list(DEPARTMENTS), [6, 3, 4, 4, 5, 4, 4, 3, 2, 2])
        at_home = [brand for brand, tier, departments in BRANDS if self.home in departments]
        fitting = [name for name, tier, departments in BRANDS if self.home in departments and tier == self.tier]
        self.favourites = {dice.one(fitting or at_home), dice.one(at_home)}
        self.owned: set[int] = set()

    def buys(self, last: Product | None) -> Product:
        """The next purchase after ``last``."""
        department, kind = self._next_kind(last)
        offers = [p for p in self._by_kind[department, kind] if p.number not in self.owned or kind in CONSUMABLES]
        if not offers:
            return self.buys(None)
        product = self._dice.weighted(offers, [self._likes(product, last) for product in offers])
        self.owned.add(product.number)
        return product

    def _next_kind(self, last: Product | None) -> tuple[str, str]:
        dice = self._dice
        department = self.home if last is None else last.department
        if last is None or dice.chance(0.06):
            return self.home, dice.weighted(_kinds(self.home), [4, 2, 1, 1, 1, 1])
        if dice.chance(0.16):
            department = dice.weighted(NEIGHBOURS[department], [2, 1])
            return department, dice.weighted(_kinds(department), [4, 2, 1, 1, 1, 1])
        kinds = _kinds(department)
        here = kinds.index(last.kind)
        steps = {1: 9, 2: 4, 0: 2 if last.kind in CONSUMABLES else 0.3}
        return department, dice.weighted(kinds, [steps.get((k - here) % len(kinds), 0.7) for k in range(len(kinds))])

    def _likes(self, product: Product, last: Product | None) -> float:
        weight = product.popularity * (3.0, 1.0, 0.3)[abs(product.tier - self.tier)]
        if product.brand in self.favourites:
            weight *= 3
        if last is not None and product.brand == last.brand:
            weight *= 9 if product.line == last.line else 3
        return weight


def _kinds(department: str) -> list[str]:
    return [kind for kind, _ in DEPARTMENTS[department]]


def make_log(products: list[Product], dice: Dice) -> list[tuple[int, str, str]]:
    """Purchases as (second, customer, product), in the order in which the shop recorded them."""
    by_kind: dict[tuple[str, str], list[Product]] = {}
    for product in products:
        by_kind.setdefault((product.department, product.kind), []).append(product)
    rows = []
    for number in dice.shuffled(range(1, CUSTOMERS + 1)):
        customer = Customer(dice, by_kind)
        time = FIRST_DAY + dice.below(DAYS * DAY)
        last = None
        purchases = 4 if dice.chance(0.03) else 5
        while dice.chance(0.84) and purchases < 60:
            purchases += 1
        for _ in range(purchases):
            last = customer.buys(last)
            rows.append((time, f"C{number:05d}", f"P{last.number:04d}"))
            # One basket shares its second; the next visit is days later.
            if not dice.chance(0.25):
                time += DAY // 2 + dice.below(40 * DAY)
    rows.sort(key=lambda row: row[0])
    # A few events were recorded twice.
    return [row for row in rows for _ in range(2 if dice.chance(0.003) else 1)]


def make_files(seed: int = SEED) -> dict[str, bytes]:
    """The two files by name."""
    dice = Dice(seed)
    products = make_products(dice)
    records = [record(product, dice) for product in sorted(products, key=lambda product: product.number)]
    catalogue = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records)
    log = "customer_id,product_id,time\n" + "".join(f"{c},{p},{t}\n" for t, c, p in make_log(products, dice))
    return {"catalogue.jsonl": catalogue.encode(), "log.csv.gz": _gzip(log.encode())}


def _gzip(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=9, mtime=0, filename="") as file:
        file.write(data)
    return buffer.getvalue()


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for name, data in make_files().items():
        (folder / name).write_bytes(data)
        print(f"{folder / name}: {len(data):,} bytes")


if __name__ == "__main__":
    main()
