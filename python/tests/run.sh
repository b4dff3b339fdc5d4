#!/usr/bin/env bash
# Runs pytest in a Python: python/tests/run.sh PYTHON FILE…. The exit code is 77, a skip, where the Python or its pytest is missing, and where
# every test was skipped; what is printed says why.
set -uo pipefail
python=$1
shift
if ! "$python" -c 'import pytest' 2>/dev/null; then
  echo "skipped: $python has no pytest; scripts/setup.sh and scripts/setup.sh --with-frameworks install it"
  exit 77
fi
output=$("$python" -m pytest "$@" 2>&1)
status=$?
echo "$output"
if ((status == 0)) && grep -qE '^=* *[0-9]+ skipped in ' <<<"$output"; then exit 77; fi
exit "$status"
