#!/usr/bin/env bash
# Lists the files that one edits to add an operator, a word, a target, …: scripts/where_to_touch.sh [--check]
#
# It looks where an existing one is named, its own files apart. --check compares with the table in CONTRIBUTING.md; exit code 1 if one differs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# what | a pattern that names an existing one | its own files, and those that happen to call a function of its name
rows=(
  'an operator~\bLaplaceDifference\b~^$'
  'a primitive word~\bkAsinh\b|\basinh\(~^search/surrogate/(curve_features|end_model)\.cpp$'
  'an export target~\bto_jax\b|\bjax\.cpp\b~^kernels/export/jax\.cpp$'
  'a strategy~\bPpo\b|\bppo\.(cpp|h)\b~^search/strategies/ppo\.(cpp|h)$'
  'a recipe~"vgg16-bn-mxnet"~^$'
  'a network~\bwide_resnet\(~^$'
  'a data format~\bcifar100\.(cpp|h)\b|\bkCifar100\b|\bcifar100_format\b~^evaluator/formats/cifar100\.(cpp|h)$'
  'a store~\bSqliteStore\b|\bsqlite_store\b|add_subdirectory\(sqlite\)~^db/sqlite/'
)
wrong=0
for row in "${rows[@]}"; do
  IFS='~' read -r what named own <<<"$row"
  mapfile -t files < <(grep -rlP --include='*.h' --include='*.cpp' --include='*.def' --include=CMakeLists.txt "$named" \
    grammar kernels evaluator db search | grep -vE "$own" | LC_ALL=C sort)
  line="| $what | ${#files[@]} | $(printf '`%s` ' "${files[@]}")|"
  echo "$line"
  if [[ ${1:-} == --check ]] && ! grep -qxF "$line" CONTRIBUTING.md; then
    echo "where_to_touch: CONTRIBUTING.md has another line for $what" >&2
    wrong=1
  fi
done
exit $wrong
