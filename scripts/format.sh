#!/usr/bin/env bash
# Formats the C++ sources and the page's scripts in place with clang-format 14: scripts/format.sh [--check]
#
# --check changes nothing; exit code 1 if a file is not as the formatter would have it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

formatter=
for name in clang-format-14 clang-format; do
  # Versions differ in what they write, so only this one is used.
  if command -v "$name" >/dev/null && [[ $("$name" --version) == *"version 14."* ]]; then
    formatter=$name
    break
  fi
done
if [[ -z $formatter ]]; then
  echo "format: clang-format 14 is not here (Debian: apt-get install clang-format-14)" >&2
  exit 3
fi
mode=(-i)
case ${1:-} in
  "") ;;
  --check) mode=(--dry-run -Werror) ;;
  *) echo "format: unknown argument $1 (known: --check)" >&2; exit 2 ;;
esac
git ls-files -z --cached --others --exclude-standard -- '*.h' '*.cpp' 'search/report/*.js' | xargs -0 -r "$formatter" "${mode[@]}"
