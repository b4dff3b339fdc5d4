#!/usr/bin/env bash
# Configures and builds one preset of CMakePresets.json into build/PRESET: scripts/build.sh PRESET [targets…]
#
# Quiet on standard output; says on standard error what it does, and prints the whole log of a build that fails.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
preset=${1:?build.sh: a preset of CMakePresets.json is wanted, say release}
shift
cd "$root"
mkdir -p "build/$preset"
log=build/$preset/build.log
echo "build: $preset (log: ${log}; minutes the first time, seconds after)" >&2
started=$SECONDS
if ! { cmake --preset "$preset" && cmake --build "build/$preset" ${1:+--target "$@"}; } >"$log" 2>&1; then
  cat "$log" >&2
  echo "build: failed" >&2
  exit 1
fi
echo "build: done in $((SECONDS - started)) s" >&2
