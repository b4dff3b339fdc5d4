#!/usr/bin/env bash
# Training throughput beside PyTorch on this machine, as one Markdown table on standard output.
#
#   bench/compare.sh [ROUNDS] [--networks LIST] [other arguments of bench/torch_baseline.py]        3 rounds if not said
#
# Both programs run in turn, never at the same time, once a round; all their answers stay in build/compare/. Nothing else should run
# meanwhile. ACTSEARCH_TORCH_PYTHON names the Python whose PyTorch is measured, say of a virtual environment with the newest; without it
# that is Debian's, which scripts/setup.sh --with-torch installs.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
rounds=3
if [[ ${1:-} =~ ^[1-9][0-9]*$ ]]; then
  rounds=$1
  shift
fi

networks=()
if [[ ${1:-} == --networks ]]; then
  networks=(--networks "$2")
  shift 2
fi

python=${ACTSEARCH_TORCH_PYTHON:-/usr/bin/python3}
if [[ -z ${ACTSEARCH_TORCH_PYTHON:-} ]]; then "$root/scripts/setup.sh" --with-torch; fi
"$root/scripts/build.sh" release actsearch
out=$root/build/compare
rm -rf "$out"
mkdir -p "$out"
for ((round = 1; round <= rounds; ++round)); do
  echo "compare: round $round of $rounds, actsearch" >&2
  "$root/build/release/actsearch" bench "${networks[@]}" --format json >"$out/ours-$round.json"
  echo "compare: round $round of $rounds, PyTorch" >&2
  "$python" "$root/bench/torch_baseline.py" --activations relu,swish "${networks[@]}" "$@" >"$out/torch-$round.json"
done

processor=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
commit=$(git -C "$root" describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)
torch=$("$python" -c 'import torch; print(torch.__version__, "with oneDNN", torch.__config__.show().split("MKL-DNN v")[-1].split()[0])')
echo "Batch 128; $(nproc) cores, $processor; commit $commit; PyTorch $torch; $(date -u +%F); median of $rounds rounds in turn, ± half the range."
echo
/usr/bin/python3 "$root/bench/compare.py" "$out"/ours-*.json -- "$out"/torch-*.json
