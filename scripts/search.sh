#!/usr/bin/env bash
# From nothing to a leaderboard: set-up, release build, a search, its ranking.
#
#   scripts/search.sh [flags of actsearch search]
#
# What is not given is: --db actsearch.db --space core1 --baselines, and --budget-time 10m if no budget is given. With a budget of less than
# an hour also --recipe quick --racing: short trainings, the weak stopped early. A longer search takes the default recipe.
# Relative paths are relative to the directory it is called from. ACTSEARCH_PRESET names another preset than release.
# Without CIFAR-10, where it cannot be downloaded, it searches on drawn images, and says so first and last: actsearch itself ends there.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# given PREFIX FLAGS…: whether a flag begins with PREFIX.
given() {
  local prefix=$1 flag
  shift
  for flag in "$@"; do
    [[ $flag == "$prefix"* ]] && return 0
  done
  return 1
}

"$root/scripts/setup.sh"
preset=${ACTSEARCH_PRESET:-release}
"$root/scripts/build.sh" "$preset" actsearch
actsearch=$root/build/$preset/actsearch

if given --help "$@" || [[ " $* " == *" -h "* ]]; then
  exec "$actsearch" search "$@"
fi
flags=("$@")
given --db "$@" || flags+=(--db actsearch.db)
given --space "$@" || flags+=(--space core1)
given --budget- "$@" || flags+=(--budget-time 10m)
given --baselines "$@" || flags+=(--baselines)

# under_an_hour FLAGS…: whether the time among the flags is less than an hour. actsearch refuses what is no time.
under_an_hour() {
  local time='' previous='' flag
  for flag in "$@"; do
    [[ $previous == --budget-time ]] && time=$flag
    [[ $flag == --budget-time=* ]] && time=${flag#*=}
    previous=$flag
  done
  awk -v text="$time" 'BEGIN {
    unit["d"] = 86400; unit["h"] = 3600; unit["m"] = 60; unit["s"] = 1
    while (match(text, /[0-9.]+[dhms]/)) {
      seconds += substr(text, RSTART, RLENGTH - 1) * unit[substr(text, RSTART + RLENGTH - 1, 1)]
      text = substr(text, RSTART + RLENGTH)
    }
    exit !(seconds > 0 && seconds < 3600)
  }'
}
if ! given --recipe "$@" && under_an_hour "${flags[@]}"; then
  flags+=(--recipe quick)
  given --racing "$@" || flags+=(--racing)
  echo "search: under an hour, so with the recipe quick and a race; a search of hours should use the default recipe" >&2
fi
if ! given --data "$@" && [[ -z ${ACTSEARCH_DATA:-} && ! -e data/cifar-10-batches-bin ]]; then
  fetched=0
  "$actsearch" data fetch data >&2 || fetched=$?
  case $fetched in
    0) ;;
    130) exit 130 ;;
    *)
      cat >&2 <<'END'

  ****************************************************************************
  *  CIFAR-10 could not be downloaded. This search trains on DRAWN IMAGES.   *
  *  It shows how the program works, not which function is better.           *
  *  Later, with a network:  actsearch data fetch data                       *
  ****************************************************************************

END
      flags+=(--data synthetic)
      ;;
  esac
fi
# In this shell's place, so that Ctrl-C and the exit code are the program's own; it ends with the leaderboard.
exec "$actsearch" search "${flags[@]}"
