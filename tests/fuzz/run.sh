#!/usr/bin/env bash
# One fuzzer for a while, as CTest starts it: run.sh libfuzzer|loop PROGRAM CORPUS
#
# ACTSEARCH_FUZZ_SECONDS: how long (5).
set -euo pipefail
kind=$1 program=$2 corpus=$3
seconds=${ACTSEARCH_FUZZ_SECONDS:-5}
if [[ $kind == loop ]]; then
  exec "$program" "$corpus" "$seconds"
fi
found=$(mktemp -d)
trap 'rm -rf "$found"' EXIT
"$program" -max_total_time="$seconds" -seed=1 -timeout=30 -max_len=65536 -rss_limit_mb=4096 -verbosity=0 -print_final_stats=1 "$found" "$corpus"
