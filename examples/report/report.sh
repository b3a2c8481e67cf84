#!/usr/bin/env bash
# The report of the quickstart, with a second run beside it: counts of what stands near each other in histories.
#
#     examples/report/report.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../quickstart"

cocorec run --until recommend
# The second run has the same data and another model.
counts=artifacts/counts
mkdir -p "$counts"
cp artifacts/{sequences,items,embeddings,codes}.parquet "$counts"
cocorec train --workdir "$counts" --model cooccurrence
cocorec evaluate --workdir "$counts"
cocorec report --name CoCoRec counts="$counts"
