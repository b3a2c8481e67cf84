import tomllib
from pathlib import Path

from stages.frame.extras import how_to_install


def test_it_names_what_works_from_a_checkout_and_by_name():
    assert how_to_install("tune") == "pip install '.[tune]' in a checkout, else pip install 'cocorec[tune]'"


def test_the_extras_that_errors_name_are_there():
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    assert {"tune", "offline", "openvino"} <= set(project["optional-dependencies"])
