#!/usr/bin/env bash
# Checks and measures a machine with an NVIDIA GPU in minutes, from a bundle (scripts/bundle.sh) or a built checkout: the tests labelled
# gpu, compute-sanitizer over the small ones where it exists, the benchmark, and the PyTorch baseline where python3 has torch.
#
#   scripts/gpu_check.sh [--small] [OUT]      OUT/gpu.json and OUT/gpu.md [gpu-check]; the logs lie beside them
#
# --small  shrinks the search and the benchmark (actsearch bench --small): a first look whether all runs, whose rates mean nothing
#
# The exit code is 1 if a test or the sanitizer found something, if a library is missing, or if there is no GPU that can be used.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
images=(--data synthetic:256) size=()
case ${1:-} in
  -h | --help) sed -n '/^set /q;2,$s/^# \{0,1\}//p' "$0"; exit 0 ;;
  --small) images=(--data synthetic:100 --batch 16 --deterministic) size=(--small --seconds 0.1); shift ;;
  -*) echo "gpu_check: unknown argument $1 (known: --small)" >&2; exit 2 ;;
esac
out=${1:-gpu-check}
mkdir -p "$out"
bin=$here/bin
[[ -d $bin ]] || bin=$here/build/${ACTSEARCH_PRESET:-release}
torch_seconds=${ACTSEARCH_TORCH_SECONDS:-1}
export XDG_CACHE_HOME=${XDG_CACHE_HOME:-$(cd "$out" && pwd)/cache}
cuda=$here/scripts/with_cuda_libraries.sh  # PyTorch runs without: it brings its own

failed=0
run() { # NAME command…: its output in OUT/NAME.log, a line on the screen
  local name=$1
  shift
  if "$@" >"$out/$name.log" 2>&1; then
    echo "gpu_check: $name: passed" >&2
  else
    echo "gpu_check: $name: FAILED (exit code $?), see $out/$name.log" >&2
    tail -n 20 "$out/$name.log" >&2
    failed=1
  fi
}

nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader >"$out/nvidia-smi.txt" 2>&1 || true
"$cuda" ldd "$bin/actsearch" >"$out/ldd.txt" 2>&1
if grep 'not found' "$out/ldd.txt" >&2; then
  echo "gpu_check: a shared library is missing, see $out/ldd.txt" >&2
  exit 1
fi
if ! "$cuda" "$bin/actsearch" search --db "$out/first.db" "${images[@]}" --recipe vgg-s --epochs 1 --budget-trials 1 --jobs 1 --device cuda \
  >"$out/gpu.log" 2>&1; then
  echo "gpu_check: no GPU that can be used: $(grep -m 1 '^actsearch: ' "$out/gpu.log" || tail -n 3 "$out/gpu.log")" >&2
  exit 1
fi
for tests in cuda_kernel_tests cuda_training_tests; do run "$tests" "$cuda" "$bin/$tests"; done
if command -v compute-sanitizer >/dev/null; then
  small='*TenStepsInBf16*:*ANetworkTakesOneCandidateAfterTheOther*:*Sizes*'
  for tests in cuda_kernel_tests cuda_training_tests; do
    run "memcheck-$tests" "$cuda" compute-sanitizer --report-api-errors no --error-exitcode 9 "$bin/$tests" --gtest_brief=1 --gtest_filter="$small"
  done
  run "racecheck-cuda_kernel_tests" "$cuda" compute-sanitizer --tool racecheck --error-exitcode 9 "$bin/cuda_kernel_tests" --gtest_brief=1 --gtest_filter="$small"
else
  echo "gpu_check: compute-sanitizer is not here: not run" >&2
fi
"$cuda" "$bin/actsearch" bench --device cuda "${size[@]}" --format json >"$out/bench.json" 2>"$out/bench.log" || { failed=1; cat "$out/bench.log" >&2; }
if python3 -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
  python3 "$here/bench/torch_baseline.py" --activations relu,swish --seconds "$torch_seconds" --setups bf16-graph,bf16-compile-graph \
    >"$out/torch.json" 2>"$out/torch.log" || { failed=1; tail -n 5 "$out/torch.log" >&2; }
else
  echo "gpu_check: python3 has no torch with a GPU: no baseline" >&2
fi
if python3 -c 'import json, pathlib' 2>/dev/null; then
  { python3 "$here/bench/gpu_table.py" "$out" && cat "$out/gpu.md"; } || failed=1
else
  echo "gpu_check: no python3 with its standard library: no table; $out/bench.json has the numbers" >&2
fi
exit $failed
