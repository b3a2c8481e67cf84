"""A sentence-transformers model as a function from texts to float32 vectors."""

import importlib.util
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from stages.artifacts.errors import DataError, UsageError
from stages.embed.options import EmbedOptions
from stages.frame.extras import how_to_install

if TYPE_CHECKING:
    import torch

Matrix = npt.NDArray[np.float32]

BATCH_TOKENS = {"cpu": 1_024, "mps": 8_192, "cuda": 65_536}
"""Tokens of a batch, by kind of device: measured on CPU, where batches that outgrow the caches halve the speed."""


DOCUMENT_PROMPTS = ("document", "passage", "corpus")
"""Names under which models keep their prompt for documents, in the order of sentence-transformers."""


class Encoder:
    """An encoder on a device.

    Precisions other than ``float32`` go by autocast, so that sums and norms stay in float32. bfloat16 pays only on
    hardware that has it: a CPU without AMX or AVX512-BF16 emulates it at a fraction of the speed of float32. For
    ``openvino`` the model is compiled at every start.

    Args:
        folder: the model's files; the network is never touched.
        name: what errors call it.
        options: of the stage.

    Raises:
        UsageError: when the device or the back end is not there, they do not go together, the model has no such
            prompt, or cannot give as many dimensions or take as many tokens as are asked for.
        DataError: when the model cannot be loaded.

    Attributes:
        name: what errors call it.
        backend, device, precision: how it computes.
        prompt: stands before every text; empty for none.
        prompt_name: of that prompt in the model; ``None`` for a text that was given, or none.
        max_tokens: at which a text is cut; ``None`` for a model without a limit.
        dimension: of the vectors, D.
    """

    def __init__(self, folder: Path, name: str, options: EmbedOptions) -> None:
        self.name = name
        self.backend = options.backend
        on_cpu = options.backend == "openvino" and options.device == "auto"
        self.device = choose_device("cpu" if on_cpu else options.device)
        self.precision = choose_precision(options.precision, self.device)
        _check_backend(options.backend, self.device, self.precision)
        self._normalize = options.normalize
        self._model: Any = _load(folder, name, self.device, options.trust_remote_code, self._backend_options())
        self.prompt_name, self.prompt = _choose_prompt(self._model, name, options)
        self.max_tokens = self._limit_tokens(options.max_tokens)
        modalities = getattr(self._model, "modalities", ["text"])
        # A model that also sees images takes a bare string that looks like an address for one and fetches it.
        self._only_text = set(modalities) <= {"text", "message"}
        self._truncate_dim: int | None = None
        self.dimension = self._limit_dimensions(options.truncate_dim)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text before it is cut, prompt and special tokens included.

        For models without a subword tokenizer it is the number of characters / 4, which only orders the batches.
        """
        prompted = [self.prompt + text for text in texts]
        if not self.counts_tokens:
            return [max(1, len(text) // 4) for text in prompted]
        tokenizer: Any = self._model.tokenizer
        found = tokenizer(prompted, return_attention_mask=False, truncation=False, verbose=False)["input_ids"]
        return [max(1, len(ids)) for ids in found]

    def stand_for(self, device: str, precision: str) -> None:
        """Say that others encode, on a device of this name and in this precision; this one counts tokens alone."""
        import torch

        self.device = torch.device(device)
        self.precision = choose_precision(precision, self.device)

    @property
    def counts_tokens(self) -> bool:
        """Whether :meth:`count_tokens` counts the model's own tokens rather than guesses."""
        from transformers import PreTrainedTokenizerBase

        return isinstance(getattr(self._model, "tokenizer", None), PreTrainedTokenizerBase)

    def encode(self, texts: Sequence[str]) -> Matrix:
        """The vectors (len(texts), D) of one batch.

        Raises:
            DataError: when the batch does not fit into the device's memory, or a vector is not finite.
        """
        import torch

        inputs: list[Any] = list(texts) if self._only_text else [{"text": text} for text in texts]
        enabled = self.precision != "float32" and self.backend == "torch"
        autocast = torch.autocast(self.device.type, getattr(torch, self.precision), enabled=enabled)
        try:
            with torch.inference_mode(), autocast:
                vectors = self._model.encode_document(
                    inputs,
                    prompt=self.prompt,
                    batch_size=len(inputs),
                    convert_to_tensor=True,
                    show_progress_bar=False,
                )
        except torch.OutOfMemoryError as error:
            raise DataError(
                f"a batch of {len(inputs)} texts does not fit into the memory of {self.device}",
                "Lower --batch-tokens or --max-tokens; the chunks that are finished are kept.",
            ) from error
        matrix: Matrix = vectors.float().cpu().numpy()
        finite = np.isfinite(matrix).all(axis=1)
        if not finite.all():
            text = texts[int(np.flatnonzero(~finite)[0])]
            raise DataError(
                f"{self.name} gives a vector that is not finite for the text {text[:80]!r}",
                "Use --precision float32, or another model.",
            )
        matrix = matrix[:, : self._truncate_dim]
        if self._normalize:
            lengths = np.linalg.norm(matrix.astype(np.float64), axis=1, keepdims=True)
            matrix = (matrix / np.maximum(lengths, 1e-12)).astype(np.float32)
        return matrix

    def _backend_options(self) -> dict[str, Any]:
        if self.backend == "torch":
            return {}
        import torch

        settings = {
            "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[self.precision],
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        }
        return {"backend": self.backend, "model_kwargs": {"export": True, "ov_config": settings}}

    def _limit_tokens(self, asked: int | None) -> int | None:
        own = getattr(self._model, "max_seq_length", None)
        own = own if own is not None and own < 1_000_000 else None  # tokenizers say 1e30 for "no limit"
        if asked is None:
            return own
        config = getattr(self._model[0], "config", None)
        positions = getattr(config, "max_position_embeddings", None)
        if positions is not None and asked > positions:
            raise UsageError(
                f"--max-tokens {asked}: {self.name} has {positions} positions", f"Its own limit is {own} tokens."
            )
        if asked < 4:
            raise UsageError(f"--max-tokens {asked} leaves no room for words", f"The model's own limit is {own}.")
        try:
            self._model.max_seq_length = asked
        except AttributeError:
            raise UsageError(
                f"--max-tokens {asked}: {self.name} has no limit of tokens that could be set", "Leave it out."
            ) from None
        return asked

    def _limit_dimensions(self, asked: int | None) -> int:
        own = int(self.encode(["a"]).shape[1])
        if asked is not None and asked > own:
            raise UsageError(f"--truncate-dim {asked}: {self.name} gives {own} dimensions", f"Give at most {own}.")
        self._truncate_dim = asked
        return asked or own


def choose_device(device: str) -> "torch.device":
    """The torch device of this name; ``auto`` takes CUDA, then MPS, then the CPU.

    Raises:
        UsageError: when it is not there or not known.
    """
    import torch

    if device == "auto":
        return torch.device(
            "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        )
    kind, _, number = device.partition(":")
    if kind not in BATCH_TOKENS or (number and not (kind == "cuda" and number.isdecimal())):
        raise UsageError(f"--device {device} is not known", "Use auto, cpu, cuda, cuda:N or mps.")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        there = f"{torch.cuda.device_count()} CUDA devices" if torch.cuda.is_available() else "no CUDA device"
        raise UsageError(f"--device {device}: torch {torch.__version__} sees {there}", "Use --device auto or cpu.")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise UsageError("--device mps: there is none on this machine", "Use --device auto or cpu.")
    return torch.device(device)


def choose_precision(precision: str, device: "torch.device") -> str:
    """The precision to run in on a device."""
    if precision != "auto":
        return precision
    return "bfloat16" if device.type == "cuda" else "float32"


def _check_backend(backend: str, device: "torch.device", precision: str) -> None:
    if backend == "torch":
        return
    if device.type != "cpu":
        raise UsageError(f"--backend {backend} computes on a CPU, not on {device}", "Use --backend torch.")
    if precision == "float16":
        raise UsageError(f"--backend {backend} has no --precision float16", "Use float32 or bfloat16.")
    if importlib.util.find_spec("openvino") is None or importlib.util.find_spec("optimum") is None:
        raise UsageError(
            f"--backend {backend} needs optimum-intel and openvino, which are not installed",
            f"Install the extra ({how_to_install('openvino')}), best into an environment of its own, since it asks "
            "for older versions of transformers.",
        )


def _choose_prompt(model: Any, name: str, options: EmbedOptions) -> tuple[str | None, str]:
    """The prompt that is put before every text, and its name in the model.

    Items are what is searched for: where nothing is asked for, the model's prompt for documents is taken, else its
    default.
    """
    prompts: dict[str, str | None] = dict(getattr(model, "prompts", None) or {})
    if options.prompt is not None:
        return None, options.prompt
    if options.prompt_name is not None:
        if options.prompt_name not in prompts:
            known = ", ".join(sorted(prompts))
            raise UsageError(
                f"--prompt-name {options.prompt_name}: {name} has no such prompt",
                f"It has {known}." if known else "It has none; give the text itself with --prompt.",
            )
        return options.prompt_name, prompts[options.prompt_name] or ""
    default = getattr(model, "default_prompt_name", None)
    chosen = next((known for known in (*DOCUMENT_PROMPTS, default) if known and prompts.get(known)), None)
    return chosen, (prompts[chosen] or "") if chosen else ""


def _load(folder: Path, name: str, device: "torch.device", trust_remote_code: bool, options: dict[str, Any]) -> Any:
    try:
        from sentence_transformers import SentenceTransformer

        with _quiet_loading(chatty=bool(options)):
            model = SentenceTransformer(
                str(folder), device=str(device), local_files_only=True, trust_remote_code=trust_remote_code, **options
            )
        return model.eval()
    except Exception as error:  # every module of every model raises its own
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        hint = "Check that the folder holds a whole sentence-transformers or transformers model."
        if isinstance(error, ImportError):
            hint = "Install what it needs beside sentence-transformers, then run again."
        elif "trust_remote_code" in str(error):
            hint = "It brings Python code of its own; read that, and allow it with --trust-remote-code."
        raise DataError(f"--model {name} cannot be loaded: {reason}", hint) from error


@contextmanager
def _quiet_loading(chatty: bool) -> Iterator[None]:
    """Without the progress bar that transformers draws over ours, nor the remarks of those who compile a model."""
    import transformers.utils.logging as transformers_logging

    shown, disabled = transformers_logging.is_progress_bar_enabled(), logging.root.manager.disable
    transformers_logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            if chatty:
                warnings.simplefilter("ignore")
                logging.disable(logging.WARNING)
            yield
    finally:
        logging.disable(disabled)
        if shown:
            transformers_logging.enable_progress_bar()
