#!/usr/bin/env bash
# Packs what trains on another x86-64 Linux (AVX2, glibc 2.35 and GCC 12's libstdc++ or later: Ubuntu 22.04, Debian 12) into dist/actsearch,
# and into dist/actsearch.tar.gz: the program, the tests labelled gpu, the PyTorch baseline and the shared libraries that they need. CUDA's
# own (driver, NVRTC, cuDNN 9, cuBLASLt, of CUDA 12.8 or later) are that machine's. The program in it draws SVG and no PNG, and keeps
# studies in SQLite files alone: training needs no cairo and no libpq, and none of their libraries.
#
#   scripts/bundle.sh        then, over there: actsearch/scripts/gpu_check.sh, and actsearch/actsearch search …
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
most_megabytes=60
newest_glibc=2.35
newest_libstdcxx=3.4.30

"$root/scripts/setup.sh"
tests=(cuda_kernel_tests cuda_training_tests)
"$root/scripts/build.sh" portable actsearch "${tests[@]}"

dist=$root/dist/actsearch
rm -rf "$root/dist"
mkdir -p "$dist"/{bin,lib,bench,scripts}
for program in actsearch "${tests[@]}"; do cp "$root/build/portable/$program" "$dist/bin/"; done
cp "$root/bench/torch_baseline.py" "$root/bench/gpu_table.py" "$dist/bench/"
cp "$root"/scripts/{gpu_check,with_cuda_libraries}.sh "$dist/scripts/"
cat >"$dist/actsearch" <<'SH'
#!/bin/sh
# The program, with the CUDA libraries of this machine.
here=$(dirname "$(readlink -f "$0")")
exec "$here/scripts/with_cuda_libraries.sh" "$here/bin/actsearch" "$@"
SH
chmod +x "$dist/actsearch"
git -C "$root" describe --always --dirty --abbrev=12 >"$dist/commit" 2>/dev/null || echo unknown >"$dist/commit"

# Every library but the C library's own, which belong to the kernel and the loader over there, and the compiler's, which are everywhere
# and of which Debian's want a newer C library than the program does.
for program in "$dist"/bin/*; do ldd "$program"; done | awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort -u |
  while read -r library; do
    case $(basename "$library") in
      libc.so.* | libm.so.* | libdl.so.* | libpthread.so.* | librt.so.* | ld-linux* | libstdc++.so.* | libgcc_s.so.*) ;;
      *) cp -L "$library" "$dist/lib/" ;;
    esac
  done

if LD_LIBRARY_PATH='' ldd "$dist"/bin/* | grep 'not found'; then
  echo "bundle: a library is missing" >&2
  exit 1
fi
newest() { # NAME: the newest version of those symbols that any file of the bundle wants
  for file in "$dist"/bin/* "$dist"/lib/*; do objdump -T "$file"; done | grep -o "$1_[0-9.]*" | sort -uV | tail -n 1 | cut -d _ -f 2
}
for limit in "GLIBC $newest_glibc" "GLIBCXX $newest_libstdcxx"; do
  read -r name most <<<"$limit"
  wanted=$(newest "$name")
  if [[ $(printf '%s\n' "$wanted" "$most" | sort -V | tail -n 1) != "$most" ]]; then
    echo "bundle: a file wants $name $wanted, more than $most" >&2
    exit 1
  fi
done
tar -C "$root/dist" -czf "$root/dist/actsearch.tar.gz" actsearch
megabytes=$(du -sm "$dist" | cut -f 1)
echo "bundle: dist/actsearch, $megabytes MB; dist/actsearch.tar.gz, $(du -sm "$root/dist/actsearch.tar.gz" | cut -f 1) MB" >&2
if ((megabytes > most_megabytes)); then
  echo "bundle: more than $most_megabytes MB" >&2
  exit 1
fi
