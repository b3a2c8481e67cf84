import pytest
from typer.main import get_command

from cocorec_cli.config import read_config
from cocorec_cli.main import app
from cocorec_cli.search import parse_search
from stages.artifacts.errors import UsageError


@pytest.mark.parametrize(
    ("text", "stage", "option", "expected"),
    [
        ("dropout=0.1:0.5", "train", "dropout", {"low": 0.1, "high": 0.5}),
        ("dropout=0:0.5", "train", "dropout", {"low": 0.0, "high": 0.5}),
        ("learning-rate=1e-4:1e-2:log", "train", "learning_rate", {"low": 1e-4, "high": 1e-2, "log": True}),
        ("layers=1:4", "train", "layers", {"low": 1, "high": 4}),
        ("batch_size=128:512:step=128", "train", "batch_size", {"low": 128, "high": 512, "step": 128}),
        ("dim = 64, 128", "train", "dim", [64, 128]),
        ("dropout=0,0.5", "train", "dropout", [0.0, 0.5]),
        ("targets=all,last", "train", "targets", ["all", "last"]),
        ("learnable_mask=true,false", "train", "learnable_mask", [True, False]),
        ("quantize.levels=2,4", "quantize", "levels", [2, 4]),
        ("levels=2,4", "quantize", "levels", [2, 4]),
    ],
)
def test_what_the_command_line_says(text, stage, option, expected):
    space = parse_search([text], get_command(app))
    assert space == {stage: {option: expected}}
    value = space[stage][option]
    kinds = [type(part) for part in (value if isinstance(value, list) else (value["low"], value["high"]))]
    wanted = expected if isinstance(expected, list) else (expected["low"], expected["high"])
    assert kinds == [type(part) for part in wanted]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["dropout"], "'dropout' is not OPTION=LOW:HIGH"),
        (["dropuot=0.1:0.5"], "dropuot: unknown option; did you mean dropout?"),
        (["xyzzy=1"], "unknown option; there are method, levels,"),
        (["seed=1,2"], "seed: of several stages; say quantize.seed or train.seed"),
        (["train.levels=2"], "train levels: unknown option"),
        (["embed.views=title"], "embed: not a stage that can be searched"),
        (["dim=64,many"], "train dim: expected a whole number, got the text 'many'"),
        (["dim=64.5:128"], "train dim: expected a whole number, got 64.5"),
        (["layers=0:2"], "train layers: Input should be greater than or equal to 1"),
        (["targets=all,some"], "the text 'some' is not one of all, last"),
        (["dropout=0.1:0.5:lgo"], "'lgo' is neither log nor step=X"),
        (["dropout=0.1:0.5", "dropout=0.2"], "dropout: given twice"),
        (["dropuot=1", "layers=0:2"], "dropout?; train layers"),
    ],
)
def test_what_does_not_fit_is_named(texts, expected):
    with pytest.raises(UsageError) as raised:
        parse_search(texts, get_command(app))
    assert expected in raised.value.message


def test_the_space_of_a_configuration_file(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text(
        "[tune]\ntrials = 7\n[tune.space.train]\ndropout = {low = 0, high = 0.5}\ndim = [64, 128]\n"
        "[tune.space.quantize]\ncodebook-size = [64]\n"
    )
    assert read_config(path, get_command(app))[0] == {
        "tune": {
            "trials": 7,
            "space": {
                "train": {"dropout": {"low": 0.0, "high": 0.5}, "dim": [64, 128]},
                "quantize": {"codebook_size": [64]},
            },
        }
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[tune.space.train]\ndropuot = [0.1]", "[tune.space.train] dropuot: unknown option; did you mean dropout?"),
        ("[tune.space.train]\ndim = [64, 'x']", "[tune.space.train] dim: expected a whole number, got the text 'x'"),
        ("[tune.space.train]\ndim = 64", "[tune.space.train] dim: expected a list of values or {low = ..., high"),
        ("[tune.space.train]\ndim = {low = 1}", "[tune.space.train] dim: expected a list of values or {low = ..."),
        ("[tune.space.embed]\nviews = ['x']", "[tune.space.embed]: not a stage that can be searched"),
        ("[tune]\nspace = 3", "[tune] space: expected tables, got 3"),
        ("[tune]\ntrails = 3", "[tune] trails: unknown option; did you mean trials?"),
    ],
)
def test_problems_of_a_configuration_file(cli, tmp_path, text, expected):
    (tmp_path / "c.toml").write_text(text)
    outcome = cli("train", "--config", "c.toml")
    assert (outcome.code, expected in outcome.err) == (2, True)
