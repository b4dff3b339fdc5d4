#!/usr/bin/env bash
# Packs what trains on another x86-64 Linux (AVX2, glibc of Debian 12 or later) into dist/actsearch, and into dist/actsearch.tar.gz: the
# program, the tests labelled gpu, the PyTorch baseline and the shared libraries that they need. CUDA's own (driver, NVRTC, cuDNN 9,
# cuBLASLt, of CUDA 12.8 or later) are that machine's. The program in it draws SVG and no PNG: training needs no cairo and its libraries.
#
#   scripts/bundle.sh        then, over there: actsearch/scripts/gpu_check.sh
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
most_megabytes=60

"$root/scripts/setup.sh"
tests=(cuda_kernel_tests cuda_training_tests)
"$root/scripts/build.sh" portable actsearch "${tests[@]}"

dist=$root/dist/actsearch
rm -rf "$root/dist"
mkdir -p "$dist"/{bin,lib,bench,scripts}
for program in actsearch "${tests[@]}"; do cp "$root/build/portable/$program" "$dist/bin/"; done
cp "$root/bench/torch_baseline.py" "$root/bench/gpu_table.py" "$dist/bench/"
cp "$root/scripts/gpu_check.sh" "$dist/scripts/"
git -C "$root" describe --always --dirty --abbrev=12 >"$dist/commit" 2>/dev/null || echo unknown >"$dist/commit"

# Every library but the C library's own, which belong to the kernel and the loader over there.
for program in "$dist"/bin/*; do ldd "$program"; done | awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort -u |
  while read -r library; do
    case $(basename "$library") in
      libc.so.* | libm.so.* | libdl.so.* | libpthread.so.* | librt.so.* | ld-linux*) ;;
      *) cp -L "$library" "$dist/lib/" ;;
    esac
  done

if LD_LIBRARY_PATH='' ldd "$dist"/bin/* | grep 'not found'; then
  echo "bundle: a library is missing" >&2
  exit 1
fi
tar -C "$root/dist" -czf "$root/dist/actsearch.tar.gz" actsearch
megabytes=$(du -sm "$dist" | cut -f 1)
echo "bundle: dist/actsearch, $megabytes MB; dist/actsearch.tar.gz, $(du -sm "$root/dist/actsearch.tar.gz" | cut -f 1) MB" >&2
if ((megabytes > most_megabytes)); then
  echo "bundle: more than $most_megabytes MB" >&2
  exit 1
fi
