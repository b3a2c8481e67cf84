#!/usr/bin/env bash
# One night of a shop: the log has grown, the model is trained on from yesterday's weights, and takes yesterday's place only
# when it is good enough.
#
#     30 2 * * *  flock -n /tmp/shop.lock /srv/shop/nightly.sh || mail -s "night failed" you@example.org </dev/null
#
# SHOP is the folder of the nights (by default nights/ beside this script): one work directory a night, and the link
# `served` to the one whose model and recommendations.parquet the shop uses. The link is moved in one step, so that who
# reads through it sees yesterday's files or today's, never a mixture. Interrupted, the same command goes on.
#
# Exit codes are those of cocorec; 4 is a metric below its threshold, and then nothing is swapped. WARM_EPOCHS (6) bounds
# the epochs of a night that starts from yesterday's weights.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [ -d "$here/../../.venv/bin" ]; then
    PATH="$(cd "$here/../../.venv/bin" && pwd):$PATH"
fi
shop=${SHOP:-$here/nights}
config=${CONFIG:-$here/cocorec.toml}
tonight=$shop/${NIGHT:-$(date +%F)}
served=$shop/served

mkdir -p "$shop"
yesterday=$(readlink -f "$served" || true)
if [ -d "$yesterday" ] && [ "$yesterday" != "$(realpath -m "$tonight")" ]; then
    if [ ! -d "$tonight" ]; then
        # Yesterday's vectors, codebooks and numbers of items are what tonight starts from.
        rm -rf "$tonight.part"
        cp -r "$yesterday" "$tonight.part"
        rm -rf "$tonight.part/model/checkpoint"
        mv "$tonight.part" "$tonight"
    fi
    export COCOREC_PREPROCESS_EXTEND=$tonight
    export COCOREC_TRAIN_INIT_FROM=$yesterday
    export COCOREC_TRAIN_EPOCHS=${WARM_EPOCHS:-6}
fi
cocorec run --config "$config" --workdir "$tonight"

ln -sfn "$(basename "$tonight")" "$shop/served.new"
mv -T "$shop/served.new" "$served"
echo "served: $(readlink "$served")" >&2
