#!/usr/bin/env bash
# Every test: set-up, build, then one pass of CTest over the labels unit, data and slow, in that order. Tests labelled gpu need another
# machine and are left out.
#
#   scripts/test.sh [arguments of ctest]        e.g. scripts/test.sh -L unit (the quick ones), scripts/test.sh -R Notation
#
# The build is that of scripts/search.sh, the preset release, unless ACTSEARCH_PRESET names another.
# With ACTSEARCH_DATA=DIR the tests labelled data read real CIFAR-10 from DIR. The last lines are CTest's summary.
# The exit code is not 0 if a test fails, or if none ran.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

"$root/scripts/setup.sh"
preset=${ACTSEARCH_PRESET:-release}
"$root/scripts/build.sh" "$preset"

if [[ -z ${ACTSEARCH_DATA:-} ]]; then
  echo "test: ACTSEARCH_DATA is not set, so the tests that need real CIFAR-10 are skipped" >&2
elif [[ $ACTSEARCH_DATA != synthetic ]]; then
  ACTSEARCH_DATA=$(cd "$ACTSEARCH_DATA" && pwd)  # CTest runs the tests elsewhere
  export ACTSEARCH_DATA
  echo "test: CIFAR-10 from $ACTSEARCH_DATA" >&2
fi
# At least two at a time, which is also what makes CTest go by COST: unit, data, slow (cmake/ActsearchTargets.cmake).
jobs=$(nproc)
exec ctest --test-dir "$root/build/$preset" --output-on-failure --no-tests=error -LE '^gpu$' -j $((jobs > 2 ? jobs : 2)) "$@"
