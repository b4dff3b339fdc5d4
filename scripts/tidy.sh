#!/usr/bin/env bash
# clang-tidy 16 (.clang-tidy) on the C++ files that changed:
#
#   scripts/tidy.sh [--base COMMIT] [--seconds N] [FILES…]
#
# --base COMMIT  what changed since then, committed or not  [where the branch left origin/main; on main itself: 20 commits ago]
# --seconds N    begin no further file after so long; what was not looked at is named  [no limit]
# FILES          these files, whatever changed: all of them are $(git ls-files '*.cpp')
#
# For a header its .cpp file is looked at, if there is one. What GCC takes and clang 16 does not (Boost.Asio's coroutines, say) is named
# and passed over.
#
# The compiler's commands are those of preset $ACTSEARCH_PRESET (release if not set), which must be configured. Exit code 1 if something is
# found, 3 if clang-tidy 16 is not here.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
base='' seconds='' files=()
while (($# > 0)); do
  case $1 in
    --base) base=${2:?tidy: --base wants a commit}; shift 2 ;;
    --seconds) seconds=${2:?tidy: --seconds wants a number}; shift 2 ;;
    -h | --help) sed -n '/^set /q;2,$s/^# \{0,1\}//p' "$0"; exit 0 ;;
    -*) echo "tidy: unknown argument $1 (known: --base, --seconds)" >&2; exit 2 ;;
    *) files+=("$(realpath --relative-to="$root" "$1")"); shift ;;
  esac
done
cd "$root"
command -v clang-tidy-16 >/dev/null || { echo "tidy: clang-tidy 16 is not here (scripts/setup.sh --with-clang-tools)" >&2; exit 3; }
commands=build/${ACTSEARCH_PRESET:-release}
[[ -f $commands/compile_commands.json ]] || { echo "tidy: configure first: cmake --preset ${ACTSEARCH_PRESET:-release}" >&2; exit 2; }

if ((${#files[@]} == 0)); then
  if [[ -z $base ]]; then
    base=$(git merge-base HEAD origin/main 2>/dev/null || git rev-parse HEAD)
    # On the main branch, or in a clone that has no more than its last commits.
    if [[ $base == "$(git rev-parse HEAD)" ]]; then
      base=$(git rev-parse --verify --quiet HEAD~20 || git rev-list --max-parents=0 HEAD | tail -n 1)
    fi
  fi
  # The file that was changed last comes first: if the time does not suffice, the oldest change is left out.
  mapfile -t files < <({ git diff --name-only HEAD; git log --format= --name-only "$base"..HEAD; } | awk 'NF && !seen[$0]++')
fi

units=()
declare -A taken=()
for file in "${files[@]}"; do
  [[ $file != *.h ]] || file=${file%.h}.cpp
  # Only what the preset compiles: sources of CUDA are left out where its headers are missing.
  if [[ $file == *.cpp && -f $file && -z ${taken[$file]:-} ]] && grep -qF "\"$root/$file\"" "$commands/compile_commands.json"; then
    taken[$file]=1
    units+=("$file")
  fi
done
echo "tidy: ${#units[@]} files${base:+ of the changes since $(git rev-parse --short=12 "$base")}" >&2

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# The compiler's commands, but with the headers that are compiled once as text: clang would take GCC's compiled form for its own.
cp "$commands/compile_commands.json" "$scratch/"
copies=0
grep -o '/[^ ]*/cmake_pch\.hxx' "$scratch/compile_commands.json" | sort -u | while read -r header; do
  [[ -f $header ]] || continue
  copies=$((copies + 1))
  cp "$header" "$scratch/$copies.hxx"
  sed -i "s|$header|$scratch/$copies.hxx|g" "$scratch/compile_commands.json"
done

# Two at a time, without clang's own warnings: the compiler has had its say.
one() {
  if [[ -n $2 ]] && (($(date +%s) >= $2)); then
    echo "$4" >>"$3/left"
  elif ! clang-tidy-16 -p "$1" --quiet --warnings-as-errors='*,-clang-analyzer-core.CallAndMessage' --extra-arg=-w \
    "$4" >"$3/${4//\//_}.log" 2>&1; then
    if grep -qF '[clang-diagnostic-error]' "$3/${4//\//_}.log"; then
      echo "$4" >>"$3/unread"
    else
      grep -v 'warnings generated\|Suppressed .* warnings\|Use -header-filter' "$3/${4//\//_}.log"
      touch "$3/found"
    fi
  fi
}
export -f one
printf '%s\n' "${units[@]}" | xargs -r -P 2 -I '{}' bash -c 'one "$@"' one "$scratch" "${seconds:+$(($(date +%s) + seconds))}" "$scratch" '{}'
if [[ -e $scratch/left ]]; then
  echo "tidy: not looked at, for want of time: $(tr '\n' ' ' <"$scratch/left")" >&2
fi
if [[ -e $scratch/unread ]]; then
  echo "tidy: not looked at, as this clang cannot read them: $(tr '\n' ' ' <"$scratch/unread")" >&2
fi
if [[ -e $scratch/found ]]; then
  echo "tidy: clang-tidy found something" >&2
  exit 1
fi
echo "tidy: nothing found" >&2
