"""``cocorec serve`` over HTTP on this machine, against the bare matrix product that it cannot do without.

The catalogue is invented: free item vectors (``sasrec``) of ``--dim`` dimensions, 10,000 users, histories of 1 to 20
items. Requests come from the npm package ``loadtest`` (``npm install loadtest@8`` in the folder ``--loadtest``), at
a constant rate and then as fast as ``--connections`` allow. With ``--swap-seconds`` the model is replaced meanwhile.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from benchmarks.harness import machine
from benchmarks.shapes import SHAPES, make_config
from cocorec_cli.console import say
from cocorec_cli.report import print_json, print_table
from stages.artifacts.histories import HISTORIES_SCHEMA
from stages.artifacts.items import items_schema
from stages.artifacts.lineage import Lineage
from stages.artifacts.names import HISTORIES, ITEMS, MODEL_CONFIG, MODEL_WEIGHTS
from stages.artifacts.tables import write_table
from stages.export.options import INDEXES
from stages.model.catalogue import Catalogue
from stages.model.files import save_model
from stages.model.sasrec import SASRec

USERS, TOP, LONGEST = 10_000, 10, 20
COLUMNS = {
    "requests_per_second": "requests/s",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "max_ms": "max ms",
    "lost": "lost",
    "cpu_ms_per_request": "CPU ms each",
}


def write_workdir(folder: Path, items: int, dim: int, seed: int) -> None:
    """A work directory with a model of invented vectors."""
    rng = np.random.default_rng(seed)
    numbers = pa.array(np.arange(1, items + 1, dtype=np.int32))
    ids = pa.array([f"item-{number}" for number in range(1, items + 1)])
    write_table(folder / ITEMS, pa.table([numbers, ids], schema=items_schema([])), Lineage("preprocess", {}, {}))
    lengths = rng.integers(1, LONGEST + 1, USERS)
    taken = pa.array(rng.integers(1, items + 1, lengths.sum()), pa.int32())
    lists = pa.ListArray.from_arrays(pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32()), taken)
    columns = [pa.array([f"u{user}" for user in range(USERS)]), lists, pa.nulls(USERS, pa.list_(pa.int64()))]
    write_table(folder / HISTORIES, pa.table(columns, schema=HISTORIES_SCHEMA), Lineage("preprocess", {}, {}))
    write_model(folder, items, dim, seed)


def write_model(folder: Path, items: int, dim: int, seed: int) -> None:
    """The model alone."""
    torch.manual_seed(seed)
    shape = replace(SHAPES["scientific"], items=items, dim=dim, max_history=LONGEST)
    config = replace(
        make_config(shape), model="sasrec", cooccurrence_bias=False, views=0, codes=0, codebook_size=0, text_dim=0
    )
    model = SASRec.build(config, Catalogue(items))
    torch.nn.init.normal_(model.encoder.table)
    save_model(folder, config, dict(model.state_dict()), Lineage("train", {"seed": seed}, {}))


def write_bodies(path: Path, items: int, seed: int, count: int = 2000) -> None:
    """Requests, a line each."""
    rng = np.random.default_rng((seed, 1))
    with path.open("w") as file:
        for _ in range(count):
            history = [f"item-{number}" for number in rng.integers(1, items + 1, rng.integers(1, LONGEST + 1))]
            file.write(json.dumps({"history": history, "k": TOP}) + "\n")


@torch.inference_mode()
def bare(items: int, dim: int, seconds: float, *, best: bool) -> dict[str, Any]:
    """One user's vector by those of all items, again and again; with ``best`` also the ten best."""
    torch.manual_seed(0)
    vectors, users = torch.randn(items + 1, dim), torch.randn(256, 1, dim)
    taken: list[float] = []
    began, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() - began < seconds:
        at = time.perf_counter()
        scores = users[len(taken) % len(users)] @ vectors.T
        if best:
            scores.topk(TOP)
        taken.append(1000 * (time.perf_counter() - at))
    cpu = 1000 * (time.process_time() - cpu) / len(taken)
    found = {"p50_ms": np.quantile(taken, 0.5), "p99_ms": np.quantile(taken, 0.99), "max_ms": max(taken)}
    told = {name: float(value) for name, value in found.items()}
    return {**told, "requests_per_second": len(taken) / (time.perf_counter() - began), "cpu_ms_per_request": cpu}


def _say_all(lines: Iterable[str]) -> None:
    for line in lines:
        say(line.rstrip())


@contextlib.contextmanager
def server(workdir: Path, threads: int, *options: str) -> Iterator[tuple[str, float]]:
    """``cocorec serve`` as a process; yields its address and the seconds until it listened."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "cocorec_cli", "serve", "-w", str(workdir), "--port=0", f"--threads={threads}"]
    # Its reader must not be short of room: what it says is read to its end.
    process = subprocess.Popen([*command, "--device=cpu", *options], stderr=subprocess.PIPE, text=True)
    assert process.stderr
    try:
        address = None
        for line in process.stderr:
            say(line.rstrip())
            if found := re.search(r"listening at (\S+);", line):
                address = found[1]
                break
        if address is None:
            raise RuntimeError("the server did not start")
        threading.Thread(target=_say_all, args=(process.stderr,), daemon=True).start()
        yield address, time.perf_counter() - began
        process.terminate()
        if process.wait(60):
            raise RuntimeError(f"the server ended with exit code {process.returncode}")
    finally:
        if process.poll() is None:
            process.kill()


def metrics(address: str) -> dict[str, float]:
    """What the server tells of itself."""
    with urllib.request.urlopen(f"{address}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def load(address: str, bodies: Path, given: argparse.Namespace, *, rate: float, seconds: float) -> dict[str, Any]:
    """One run of the load generator, and what the server computed meanwhile."""
    asked: dict[str, Any] = {"loadtest": str(given.loadtest), "url": f"{address}/recommend", "bodies": str(bodies)}
    asked |= {"seconds": seconds, "rate": rate, "connections": given.connections}
    before = metrics(address)
    done = subprocess.run(
        ["node", str(Path(__file__).with_name("serve_load.mjs")), json.dumps(asked)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=seconds + 120,
    )
    after = metrics(address)
    found: dict[str, Any] = json.loads(done.stdout)
    # At its end a run as fast as possible leaves some requests on their way.
    answered = found["statuses"].get("200", 0)
    found["lost"] = found["sent"] - answered if rate else sum(found["errors"].values()) + found["answered"] - answered
    cpu = after["process_cpu_seconds_total"] - before["process_cpu_seconds_total"]
    found["cpu_ms_per_request"] = 1000 * cpu / max(1, found["answered"])
    batches = after["cocorec_batch_requests_count"] - before["cocorec_batch_requests_count"]
    found["requests_per_batch"] = found["answered"] / max(1, batches)
    found["reloads"] = after.get('cocorec_model_reloads_total{outcome="done"}', 0)
    found["reloads_failed"] = after.get('cocorec_model_reloads_total{outcome="failed"}', 0)
    found["memory_mib"] = [round(one["process_resident_memory_bytes"] / 2**20) for one in (before, after)]
    return found


@contextlib.contextmanager
def swapping(workdir: Path, every: float, make: Callable[[Path, int], None]) -> Iterator[None]:
    """Replace the model again and again inside the block, by one of two."""
    end = threading.Event()
    folders = [workdir.parent / f"model-{seed}" for seed in (0, 1)]
    for seed, folder in enumerate(folders):
        make(folder, seed)

    def swap() -> None:
        turn = 1
        while not end.wait(every):
            for name in (MODEL_WEIGHTS, MODEL_CONFIG):
                made = workdir / f"{name}.new"
                shutil.copy(folders[turn] / name, made)
                made.replace(workdir / name)
            turn = 1 - turn

    thread = threading.Thread(target=swap, daemon=True)
    if every:
        thread.start()
    try:
        yield
    finally:
        end.set()
        if every:
            thread.join()


def measure(items: int, given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The rows of a catalogue of this size."""
    if given.bare_seconds:
        for best, name in ((False, "matrix product"), (True, "matrix product, ten best")):
            yield {"items": items, "side": name, **bare(items, given.dim, given.bare_seconds, best=best)}
    with tempfile.TemporaryDirectory() as place:
        workdir, bodies = Path(place) / "artifacts", Path(place) / "bodies.jsonl"
        workdir.mkdir()
        write_workdir(workdir, items, given.dim, given.seed)
        write_bodies(bodies, items, given.seed)

        def make(folder: Path, seed: int) -> None:
            folder.mkdir()
            if given.swap_seconds:
                write_model(folder, items, given.dim, seed + 1)

        searched, options = "exact", []
        if given.index:
            searched, options = given.index, ["--search=index"]
            command = [sys.executable, "-m", "cocorec_cli", "export", "-w", str(workdir), "--formats=index"]
            subprocess.run([*command, f"--index={given.index}", f"--threads={given.threads}", "--quiet"], check=True)
        with (
            server(workdir, given.threads, *options) as (address, started),
            swapping(workdir, given.swap_seconds, make),
        ):
            load(address, bodies, given, rate=given.rate, seconds=given.warmup_seconds)
            facts = {"items": items, "seconds_until_it_listened": round(started, 1)}
            found = load(address, bodies, given, rate=given.rate, seconds=given.seconds)
            yield {**facts, "side": f"serve, {searched}, {given.rate:g} requests/s", **found}
            if given.full_seconds:
                found = load(address, bodies, given, rate=0, seconds=given.full_seconds)
                yield {**facts, "side": f"serve, {searched}, {given.connections} connections", **found}


def main(args: list[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--items", type=int, nargs="+", default=[4_385, 100_000, 1_000_000], help="catalogue sizes")
    parser.add_argument("--dim", type=int, default=64, help="dimensions of the vectors")
    parser.add_argument("--rate", type=float, default=50, help="requests a second")
    parser.add_argument("--seconds", type=float, default=30, help="seconds at that rate")
    parser.add_argument("--connections", type=int, default=16, help="connections that ask as fast as they can")
    parser.add_argument("--full-seconds", type=float, default=15, help="seconds of that; 0 leaves it out")
    parser.add_argument("--bare-seconds", type=float, default=5, help="seconds of the product alone; 0 leaves it out")
    parser.add_argument("--warmup-seconds", type=float, default=3, help="seconds at the rate that do not count")
    parser.add_argument("--index", choices=INDEXES, help="search this kind of index instead of all items")
    parser.add_argument("--swap-seconds", type=float, default=0, help="replace the model so often; 0 for never")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="CPU threads of the server")
    parser.add_argument("--loadtest", type=Path, default=Path(), help="folder where the npm package is installed")
    parser.add_argument("--seed", type=int, default=0, help="decides the data")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    given = parser.parse_args(args)
    if not (given.loadtest / "node_modules" / "loadtest").is_dir() or shutil.which("node") is None:
        parser.error(f"there is no loadtest in {given.loadtest}; run `npm install loadtest@8` there, or set --loadtest")
    given.loadtest = given.loadtest.resolve()
    torch.set_num_threads(given.threads)
    rows = [row for items in given.items for row in measure(items, given)]
    if given.json:
        told = {name: str(value) if isinstance(value, Path) else value for name, value in vars(given).items()}
        print_json({"benchmark": "serve", "machine": machine(), "options": told, "rows": rows})
        return
    cells = [[f"{row['items']:,}", row["side"], *(_cell(row.get(name)) for name in COLUMNS)] for row in rows]
    described = ", ".join(f"{name} {value}" for name, value in machine().items())
    print_table(["items", "", *COLUMNS.values()], cells, title=f"serve, {given.threads} threads\n{described}")


def _cell(value: Any) -> str:
    return "-" if value is None else f"{value:,.1f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
