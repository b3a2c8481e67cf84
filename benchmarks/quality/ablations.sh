#!/usr/bin/env bash
# Trains CoCoRec, CoCoRec with one part taken away at a time, and the baselines, on the same artifacts, and compares
# them on the test split in one table:
#
#     benchmarks/quality/ablations.sh ARTIFACTS RUNS [options of `cocorec train` for all runs]
#
# ARTIFACTS is a work directory in which preprocess, embed and quantize have run; each run gets a folder in RUNS.
# Interrupted, the same command goes on. ONLY="cocorec text" takes these runs alone, JOBS=2 trains two at a time,
# COCOREC="python -m cocorec_cli" calls another installation.
set -euo pipefail

artifacts=$(realpath "$1") runs=$2
shift 2
common=("$@")
read -ra cocorec <<<"${COCOREC:-cocorec}"

declare -A options=(
    [cocorec]=""
    [no-mcm]="--mcm-weight 0"
    [no-msa]="--msa-weight 0"
    [no-mcm-msa]="--mcm-weight 0 --msa-weight 0"
    [no-text-residual]="--no-text-residual"
    [no-repeat-bias]="--no-repeat-bias"
    [with-ids]="--with-ids"
    [text]="--model text"
    [light]="--preset light"
    [text-no-repeat-bias]="--model text --no-repeat-bias"
    [codes]="--model codes"
    [sasrec]="--model sasrec"
    [sasrec-no-repeat-bias]="--model sasrec --no-repeat-bias"
    [transitions]="--model transitions"
    [popularity]="--model popularity"
)
order=(cocorec no-mcm no-msa no-mcm-msa no-text-residual no-repeat-bias with-ids light text
    text-no-repeat-bias codes sasrec sasrec-no-repeat-bias transitions popularity)
read -ra chosen <<<"${ONLY:-${order[*]}}"

train() { # NAME: trains and evaluates one run
    local folder=$runs/$1 file own
    read -ra own <<<"${options[$1]?there is no run $1}"
    mkdir -p "$folder"
    for file in items sequences embeddings codes; do
        ln -sfn "$artifacts/$file.parquet" "$folder/$file.parquet"
    done
    if "${cocorec[@]}" train --workdir "$folder" "${common[@]}" "${own[@]}" >"$folder/train.log" 2>&1 &&
        "${cocorec[@]}" evaluate --workdir "$folder" >"$folder/evaluate.log" 2>&1; then
        echo "$1: done" >&2
    else
        tail -n 3 "$folder"/{train,evaluate}.log >&2
        return 1
    fi
}

for name in "${chosen[@]}"; do
    while (($(jobs -rp | wc -l) >= ${JOBS:-1})); do wait -n; done
    train "$name" &
done
while (($(jobs -rp | wc -l) > 0)); do wait -n; done

"${cocorec[@]}" compare --metrics ndcg@10,recall@10,ndcg@50,recall@50 --markdown \
    "${chosen[@]/#/$runs/}" | tee "$runs/comparison.md"
