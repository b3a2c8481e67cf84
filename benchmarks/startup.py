"""Start-up: `cocorec --help` beside the import of typer and rich, without which there would be no help.

python -m benchmarks.startup
"""

import subprocess
import sys

from benchmarks.harness import Prepared, Side, compare, options, report

HELP = "import sys; from cocorec_cli.main import main; sys.exit(main(sys.argv[1:]))"
"""What the entry point ``cocorec`` runs."""


def prepare(command: list[str]) -> Prepared:
    """Run a command in a process of its own."""

    def run() -> float:
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        return 1.0

    return run


def main(args: list[str] | None = None) -> None:
    """Run the benchmark."""
    parser = options(__doc__ or "", runs=20)
    arguments = parser.parse_args(args)
    commands = {
        "cocorec --help": ["-c", HELP, "--help"],
        "cocorec train --help": ["-c", HELP, "train", "--help"],
        "python -c pass": ["-c", "pass"],
        "import typer, rich": ["-c", "import typer, rich"],
    }
    sides = [Side(name, prepare, {"command": [sys.executable, *parts]}) for name, parts in commands.items()]
    rows = compare(sides, runs=arguments.runs, threads=arguments.threads, warmup=arguments.warmup)
    for row in rows:
        row.pop("peak_memory_mib", None)  # of the process that waits, not of the command
        for times, seconds in (("times_the_import", "seconds"), ("times_by_cpu", "cpu_seconds")):
            if seconds in row and seconds in rows[-1]:
                row[times] = row[seconds] / rows[-1][seconds]
    for row in rows:
        for name in ("times_the_last_row", "times_the_last_row_by_cpu"):
            row.pop(name, None)
    report("start-up", arguments, rows, unit="runs", columns=("times_the_import", "times_by_cpu"))


if __name__ == "__main__":
    main()
