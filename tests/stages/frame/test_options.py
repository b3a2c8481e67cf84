"""What a class of options refuses, converts, records and tells of itself."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytest

from stages.artifacts.errors import UsageError
from stages.frame.options import MAX_COUNT, Option, Options, declarations, defaults, shown, with_current_names


@dataclass(frozen=True)
class Baking(Options):
    name: Annotated[str, Option("Its name.", "Bread", argument=True)]
    loaves: Annotated[int, Option("How many.", "Bread", min=1, former=("breads",))] = 2
    grams: Annotated[int, Option("Flour.", "Bread", min=100, max=2000)] = 500
    heat: Annotated[float, Option("Of the oven.", "Oven", above=0, limit=300)] = 230.0
    steam: Annotated[float, Option("Share.", "Oven", min=0, below=1)] = 0.25
    cooled: Annotated[bool, Option("Wait.", "Oven", recorded=False)] = True
    grain: Annotated[str, Option("Which.", "Bread", choices=("rye", "wheat"))] = "rye"
    crust: Annotated[Literal["thin", "thick"], Option("Which.", "Bread")] = "thin"
    book: Annotated[Path | None, Option("A recipe.", "Bread", flags=("--recipe", "-r"))] = None
    seeds: Annotated[tuple[str, ...], Option("Which.", "Bread")] = ()
    minutes: Annotated[tuple[int, ...], Option("Of each rise.", "Bread", min=1)] = (60, 30)
    photos: Annotated[tuple[Path, ...] | None, Option("Where.", "Bread")] = None

    def check(self) -> None:
        if self.cooled and self.loaves > 10:
            raise UsageError(f"--loaves {self.loaves} do not cool in time")


def of(**values: Any) -> Baking:
    return Baking(**{"name": "plain", **values})


def test_what_is_not_given_is_at_its_default():
    assert (of().loaves, of().heat, of().book, of().seeds, of().minutes) == (2, 230.0, None, (), (60, 30))


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ({"heat": 200}, 200.0),
        ({"heat": np.float32(0.5)}, 0.5),
        ({"heat": np.int64(7)}, 7.0),
        ({"loaves": np.int32(3)}, 3),
        ({"book": "a/b.txt"}, Path("a/b.txt")),
        ({"book": None}, None),
        ({"seeds": ["sesame", "poppy"]}, ("sesame", "poppy")),
        ({"seeds": (word for word in ("sesame",))}, ("sesame",)),
        ({"minutes": range(1, 3)}, (1, 2)),
        ({"photos": ["a.png", Path("b.png")]}, (Path("a.png"), Path("b.png"))),
        ({"photos": []}, ()),
        ({"cooled": False}, False),
    ],
)
def test_a_value_is_kept_in_the_type_of_the_option(values, kept):
    (name,) = values
    value = getattr(of(**values), name)
    assert value == kept
    assert type(value) is type(kept)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": 5}, "NAME expects text, got 5"),
        ({"loaves": "64"}, "--loaves expects a whole number, got the text '64'"),
        ({"loaves": 2.0}, "--loaves expects a whole number, got 2.0"),
        ({"loaves": True}, "--loaves expects a whole number, got true"),
        ({"loaves": None}, "--loaves expects a whole number, got None"),
        ({"heat": "hot"}, "--heat expects a number, got the text 'hot'"),
        ({"heat": False}, "--heat expects a number, got false"),
        ({"heat": 1j}, "--heat expects a number, got 1j"),
        ({"cooled": 1}, "--cooled expects true or false, got 1"),
        ({"cooled": "yes"}, "--cooled expects true or false, got the text 'yes'"),
        ({"grain": 3}, "--grain expects text, got 3"),
        ({"book": 3}, "--recipe expects a path, got 3"),
        ({"seeds": "sesame"}, "--seeds expects several values, got the text 'sesame'"),
        ({"seeds": {"sesame": 1}}, "--seeds expects several values, got the table {'sesame': 1}"),
        ({"seeds": None}, "--seeds expects several values, got None"),
        ({"minutes": 60}, "--minutes expects several values, got 60"),
        ({"minutes": [60, "30"]}, "--minutes expects a whole number, got the text '30'"),
        ({"grams": [500]}, "--grams expects a whole number, got the list [500]"),
    ],
)
def test_another_type_is_refused_by_the_name_of_the_option(values, message):
    with pytest.raises(UsageError) as raised:
        of(**values)
    assert raised.value.message == message


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"loaves": 0}, "--loaves must be at least 1, is 0"),
        ({"loaves": MAX_COUNT + 1}, "--loaves must be at least 1 and at most 2147483647, is 2147483648"),
        ({"grams": 99}, "--grams must be at least 100 and at most 2000, is 99"),
        ({"grams": 2001}, "--grams must be at least 100 and at most 2000, is 2001"),
        ({"heat": 0}, "--heat must be above 0, is 0"),
        ({"heat": 300.5}, "--heat must be above 0 and at most 300, is 300.5"),
        ({"steam": 1}, "--steam must be at least 0 and below 1, is 1"),
        ({"steam": -1e-7}, "--steam must be at least 0 and below 1, is -1e-07"),
        ({"steam": float("nan")}, "--steam nan is not a finite number"),
        ({"heat": float("inf")}, "--heat inf is not a finite number"),
        ({"heat": 10**400}, "--heat inf is not a finite number"),
        ({"minutes": [5, 0]}, "--minutes must be at least 1, is 0"),
    ],
)
def test_bounds(values, message):
    with pytest.raises(UsageError) as raised:
        of(**values)
    assert raised.value.message == message


@pytest.mark.parametrize("values", [{"grams": 100}, {"grams": 2000}, {"heat": 300}, {"steam": 0}, {"loaves": 1}])
def test_bounds_themselves_are_allowed_unless_they_are_declared_otherwise(values):
    ((name, value),) = values.items()
    assert getattr(of(**values), name) == value


@pytest.mark.parametrize(("option", "choices"), [("grain", "rye, wheat"), ("crust", "thin, thick")])
def test_choices(option, choices):
    with pytest.raises(UsageError) as raised:
        of(**{option: "none"})
    assert raised.value.message == f"--{option} 'none' is unknown"
    assert raised.value.hint == f"Choose one of {choices}."


def test_what_does_not_fit_together_is_refused_after_each_value():
    assert of(loaves=11, cooled=False).loaves == 11
    with pytest.raises(UsageError, match="--loaves 11 do not cool in time"):
        of(loaves=11)
    with pytest.raises(UsageError, match="--grams"):
        of(loaves=11, grams=1)


def test_the_lineage_records_json_values_of_what_decides():
    recorded = of(book="a.txt", photos=["p.png"], seeds=["sesame"], cooled=False).recorded()
    assert recorded == {
        "name": "plain",
        "loaves": 2,
        "grams": 500,
        "heat": 230.0,
        "steam": 0.25,
        "grain": "rye",
        "crust": "thin",
        "book": "a.txt",
        "seeds": ["sesame"],
        "minutes": [60, 30],
        "photos": ["p.png"],
    }
    assert list(recorded) == [one.name for one in declarations(Baking) if one.option.recorded]


def test_declarations():
    found = {one.name: one for one in declarations(Baking)}
    kinds = {name: (one.kind, one.several, one.optional) for name, one in found.items()}
    assert kinds["loaves"] == (int, False, False)
    assert kinds["book"] == (Path, False, True)
    assert kinds["minutes"] == (int, True, False)
    assert kinds["photos"] == (Path, True, True)
    assert (found["crust"].kind, found["crust"].choices) == (str, ("thin", "thick"))
    assert [found[name].flag for name in ("loaves", "book")] == ["--loaves", "--recipe"]
    assert [name for name, one in found.items() if one.required] == ["name"]
    assert defaults(Baking) == {name: getattr(of(), name) for name in found if name != "name"}


def test_a_required_option_has_to_be_given():
    with pytest.raises(TypeError, match="name"):
        Baking()  # type: ignore[call-arg]


def test_former_names():
    assert with_current_names(Baking, {"breads": 3, "heat": 1.0, "other": 2}) == {"loaves": 3, "heat": 1.0, "other": 2}


def test_what_no_command_could_take_is_found_when_the_class_is_read():
    @dataclass(frozen=True)
    class Plain(Options):
        size: int = 1

    with pytest.raises(TypeError, match="option size is not declared"):
        declarations(Plain)

    @dataclass(frozen=True)
    class Odd(Options):
        size: Annotated[dict[str, int], Option("Sizes.", "Panel")]

    with pytest.raises(TypeError, match="option size has a type that no command knows"):
        declarations(Odd)


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), ("a", "the text 'a'"), ((1, 2), "the list [1, 2]"), ({"a": 1}, "the table {'a': 1}"), (5, "5")],
)
def test_how_errors_tell_a_value(value, text):
    assert shown(value) == text
