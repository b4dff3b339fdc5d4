#!/usr/bin/env bash
# Rehearses a first look at a machine with an NVIDIA GPU: scripts/gpu_check.sh from the bundle, in a minimal Debian 12 without a toolkit, on
# the simulated device. Then it looks at each part of what that wrote.
#
#   tests/cuda_simulator/rehearse.sh DIR      DIR: where the system goes; it stays, and is used again
#
# The simulator's libraries lie where pip would put NVIDIA's, and the driver's where a driver would. They compile the kernels' text as C++:
# that is why the system has g++, and four headers of the checkout in the checkout's place. Rates on the simulator mean nothing.
# Wants root, debootstrap and CUDA's headers. Takes minutes; the last lines say what held, and the exit code is 1 if something did not.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
case ${1:-} in
  "" | -h | --help) sed -n '/^set /q;2,$s/^# \{0,1\}//p' "$0"; exit $((2 * (${1:-} == ""))) ;;
esac
((EUID == 0)) || { echo "rehearse: wants root, for debootstrap and chroot" >&2; exit 2; }
mkdir -p "$1"
system=$(cd "$1" && pwd)

echo "rehearse: the bundle, and the simulated libraries" >&2
"$root/scripts/bundle.sh"
"$root/scripts/build.sh" portable cuda_simulator_cuda cuda_simulator_nvrtc cuda_simulator_cudnn cuda_simulator_cublas_lt
libraries=$root/build/portable/tests/cuda_simulator/lib

if [[ ! -e $system/made ]]; then
  echo "rehearse: a minimal system in $system" >&2
  debootstrap --variant=minbase --include=ca-certificates,python3-minimal,g++ bookworm "$system" http://deb.debian.org/debian >"$system.log" 2>&1 ||
    { tail -n 20 "$system.log" >&2; exit 1; }
  touch "$system/made"
fi
packages=$system/usr/local/lib/python3.11/dist-packages/nvidia
driver=$system/usr/lib/x86_64-linux-gnu/libcuda.so.1
rm -rf "$packages" "$driver" "$system/root"/* "${system:?}$root"
mkdir -p "$packages"/{cu13,cudnn}/lib "$system$root/tests/cuda_simulator"
cp "$libraries"/lib{nvrtc,cublasLt}.so.* "$packages/cu13/lib/"
cp "$libraries"/libcudnn.so.* "$packages/cudnn/lib/"
cp "$root"/tests/cuda_simulator/{device_words,module_interface}.h "$system$root/tests/cuda_simulator/"
tar -C "$system/root" -xzf "$root/dist/actsearch.tar.gz"

# inside COMMAND: bash runs it in the system, with nothing of this machine's environment.
inside() {
  unshare --mount --propagation private bash -euc '
    mount -t proc proc "$1/proc"
    mount --rbind /dev "$1/dev"
    exec env -i HOME=/root LANG=C.UTF-8 ACTSEARCH_SIMULATOR_DEVICES=1 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
      chroot "$1" bash -c "cd && $2"' inside "$system" "$1"
}

results=() failed=0
# holds WHAT COMMAND…
holds() {
  if "${@:2}" >/dev/null 2>&1; then
    results+=("holds   $1")
  else
    results+=("DOES NOT HOLD  $1")
    failed=1
  fi
}
# says FILE TEXT: a line of the file has the text.
says() { grep -qF -- "$2" "$1"; }
without() { ! grep -q -- "$2" "$1"; }

home=$system/root
echo "rehearse: without a driver" >&2
code=0
inside 'actsearch/scripts/gpu_check.sh --small none' 2>"$home/none.log" || code=$?
holds "without a driver the exit code is 1" test $code = 1
holds "and the message names the driver" grep -q 'gpu_check: no GPU that can be used: .*NVIDIA driver' "$home/none.log"

echo "rehearse: with one" >&2
cp "$libraries/libcuda.so.1" "$driver"
started=$SECONDS code=0
inside 'actsearch/scripts/gpu_check.sh --small out' 2>&1 | tee "$home/check.log" >&2 || code=${PIPESTATUS[0]}
took=$((SECONDS - started))
out=$home/out
holds "the exit code is 0" test $code = 0
holds "every shared library of the program is found" without "$out/ldd.txt" 'not found'
holds "cuda_kernel_tests pass" says "$home/check.log" 'cuda_kernel_tests: passed'
holds "cuda_training_tests pass" says "$home/check.log" 'cuda_training_tests: passed'
holds "of compute-sanitizer it says that it is not here" says "$home/check.log" 'compute-sanitizer is not here: not run'
holds "of PyTorch it says that it is not here" says "$home/check.log" 'python3 has no torch with a GPU: no baseline'
holds "of Python's standard library it says that it is not here" says "$home/check.log" 'no python3 with its standard library'
holds "the benchmark has kernels, compilations and training" test "$(grep -cE '"(kernels|compilations|training)"' "$out/bench.json")" = 3
# Where Python is whole, the same folder gives the table.
holds "the table is written from its numbers" python3 "$root/bench/gpu_table.py" "$out"
holds "and has vgg-s with both functions" test "$(grep -cE '^\| vgg-s \| (relu|swish) \|' "$out/gpu.md")" = 2

echo "rehearse: a search and its report" >&2
holds "a search trains on the device" inside \
  'actsearch/actsearch search --db first.db --data synthetic:100 --batch 16 --deterministic --recipe vgg-s --epochs 1 --budget-trials 2 --jobs 1 --device cuda 2>search.log'
holds "and says on which" says "$home/search.log" 'device: simulated device 0'
holds "its leaderboard can be read" inside 'actsearch/actsearch leaderboard --db first.db >leaderboard.txt'
holds "its report is one page" inside 'actsearch/actsearch report --db first.db --out page && test -s page/index.html'

printf '%s\n' "" "commit $(cat "$home/actsearch/commit"), gpu_check.sh --small: $took s" "${results[@]}" >&2
exit $failed
