#!/usr/bin/env bash
# Starts `cocorec serve` on a trained work directory, asks it with curl what a shop would ask, and ends it.
#
#   examples/serving/ask.sh [WORKDIR]
set -euo pipefail

workdir=${1:-artifacts}
log=$(mktemp)
cocorec=${COCOREC:-cocorec}

"$cocorec" serve --workdir "$workdir" --port 0 --with title 2>"$log" &
server=$!
trap 'kill "$server" 2>/dev/null || true; rm -f "$log"' EXIT

# It says where it listens once the model is read.
until address=$(sed -n 's/^listening at \([^;]*\);.*/\1/p' "$log") && [ -n "$address" ]; do
    kill -0 "$server" || { cat "$log" >&2; exit 3; }
    sleep 0.2
done

say() { printf '\n# %s\n' "$1"; }

say "a customer of the log"
curl -sS --fail-with-body -H 'Content-Type: application/json' -d '{"user_id": "C00042", "k": 3}' "$address/recommend"

say "a visitor with two items in the basket, among what is in stock, without what is sold out"
curl -sS --fail-with-body -H 'Content-Type: application/json' "$address/recommend" -d '{
    "history": ["P0001", "P0305"],
    "k": 3,
    "candidates": ["P0002", "P0003", "P0004", "P0005", "P0306"],
    "exclude": ["P0003"]
}'

say "somebody new: the popular items"
curl -sS --fail-with-body -H 'Content-Type: application/json' -d '{"history": [], "k": 3}' "$address/recommend"

say "similar items"
curl -sS --fail-with-body "$address/similar/P0001?k=3"

say "what does not fit is refused with the reason"
curl -sS -H 'Content-Type: application/json' -d '{"history": [7], "k": 0}' "$address/recommend"
echo

say "what answers"
curl -sS --fail-with-body "$address/healthz"
echo

kill "$server" # SIGTERM: requests at work are answered first
wait "$server"
say "ended with exit code 0"
