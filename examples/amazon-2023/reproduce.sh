#!/usr/bin/env bash
# Downloads the data sets, runs the five stages, training once per seed, and prints the results as a Markdown table:
#
#     examples/amazon-2023/reproduce.sh
#
# One data set and one seed, with one option changed for all runs:
#
#     SEEDS=0 COCOREC_TRAIN_EPOCHS=50 examples/amazon-2023/reproduce.sh Musical_Instruments
#
# Interrupted, the same command goes on where it stopped. Progress goes to stderr, the table to stdout and to
# artifacts/results.md in this folder. COCOREC_DOWNLOAD_BASE_URL names a mirror of the data.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
if [ -d "$root/.venv/bin" ]; then
    PATH="$root/.venv/bin:$PATH"
fi

fail() {
    printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
    exit 2
}

command -v cocorec >/dev/null || fail "there is no command cocorec" "Run \`make install\` in $root, or activate its environment."

datasets=("$@")
if [ ${#datasets[@]} -eq 0 ]; then
    datasets=(Musical_Instruments Video_Games Industrial_and_Scientific Baby_Products)
fi
for name in "${datasets[@]}"; do
    [ -f "$here/$name.toml" ] || fail "there is no $here/$name.toml" "Name a data set that has one, or write it."
done
read -ra seeds <<<"${SEEDS:-0 1 2}"
for seed in "${seeds[@]}"; do
    [[ $seed =~ ^[0-9]+$ ]] || fail "SEEDS: $seed is not a whole number" "For example SEEDS=\"0 1 2\"."
done

for name in "${datasets[@]}"; do
    config=$here/$name.toml
    shared=$here/artifacts/$name
    cocorec download amazon-2023 "$name" --to "$root/data/amazon-2023/$name" >&2
    cocorec run --config "$config" --workdir "$shared" --until quantize >&2
    for seed in "${seeds[@]}"; do
        # A work directory per seed, so that each model stays; what they have in common is linked.
        workdir=$shared-seed-$seed
        mkdir -p "$workdir"
        for file in items.parquet sequences.parquet embeddings.parquet codes.parquet; do
            ln -sfn "../$name/$file" "$workdir/$file"
        done
        COCOREC_TRAIN_SEED=$seed cocorec run --config "$config" --workdir "$workdir" --from train --until evaluate >&2
    done
done

python3 "$here/table.py" --seeds "${seeds[*]}" "${datasets[@]}" | tee "$here/artifacts/results.md"
