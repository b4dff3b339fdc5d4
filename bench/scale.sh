#!/usr/bin/env bash
# Measures searches by many workers on one PostgreSQL server, which it starts for itself on this machine: docs/results/scale.md.
#
#   bench/scale.sh [--small] [PART…]        parts: busy kills claims  [all]
#
# busy     1, 4, 16 and 64 workers whose trials only wait, 10 seconds each: the share of its time in which a worker has a trial
# kills    workers are killed 1,000 times: whether anything is lost or counted twice, and whether the leaderboard is that of an SQLite file
# claims   over a million trials: the leaderboard's time, and claims with results a second by 1, 4, 16 and 64 connections
# claims is measured five times: the mean, the median and the deviation stand below the five.
# --small  the same in a minute, to try the script; its numbers mean nothing
#
# ACTSEARCH_PROGRAM: the program [build/release/actsearch]; leaderboard_bench lies beside it. ACTSEARCH_SCALE_DIR: where to work; it stays.
# [a folder that is removed]. Nothing else should run meanwhile. The exit code is 1 if something was lost or counted twice.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/private_postgresql.sh
. "$root/scripts/private_postgresql.sh"
program=${ACTSEARCH_PROGRAM:-$root/build/release/actsearch}

workers=(1 4 16 64) seconds=10 rounds=6 kills=1000 killed_workers=16 seeds=50 trials=1000000 bench=(--benchmark_min_time=1 --benchmark_repetitions=5)
if [[ ${1:-} == --small ]]; then
  workers=(1 4) seconds=1 rounds=4 kills=20 killed_workers=4 seeds=3 trials=10000 bench=(--benchmark_min_time=0.05)
  shift
fi
parts=("$@")
((${#parts[@]} > 0)) || parts=(busy kills claims)
private_postgresql_is_here || { echo "scale: there is no PostgreSQL server (scripts/setup.sh --with-postgresql installs it)" >&2; exit 2; }
[[ -x $program ]] || { echo "scale: there is no $program: build it first, or set ACTSEARCH_PROGRAM" >&2; exit 2; }

directory=${ACTSEARCH_SCALE_DIR:-$(mktemp -d)}
mkdir -p "$directory"
directory=$(cd "$directory" && pwd)
chmod 755 "$directory"
declare -A running=()  # the process of each worker, by its number
finish() {
  local code=$? process
  for process in "${running[@]}"; do kill -KILL "$process" 2>/dev/null || true; done
  wait
  private_postgresql "$directory/postgresql" stop || true
  [[ -n ${ACTSEARCH_SCALE_DIR:-} ]] || rm -rf "$directory"
  exit "$code"
}
private_postgresql "$directory/postgresql" start
trap finish EXIT

# ask DATABASE SQL: CSV without its header
ask() { "$program" query --db "$1" --format csv "$2" | tail -n +2; }
# worker NUMBER DATABASE FLAGS…: starts one, as on a machine of its own
worker() {
  mkdir -p "$directory/$1"
  (cd "$directory/$1" && exec "$program" search --db "$2" --strategy exhaustive --jobs 1 --checkpoints "$directory/checkpoints" "${@:3}" >>log 2>&1) &
  running[$1]=$!
}
# ended: waits for all workers
ended() {
  local number
  for number in "${!running[@]}"; do wait "${running[$number]}" || true; done
  running=()
}

busy() {
  local count number database
  echo "| workers | trials of $seconds s | busy |"
  echo "| ---: | ---: | ---: |"
  for count in "${workers[@]}"; do
    database=$(private_postgresql "$directory/postgresql" address "busy_$count")
    for ((number = 0; number < count; ++number)); do worker "$number" "$database" --evaluator "sleep $seconds; echo '{\"score\": 0.5}'"; done
    # Until every worker has had so many trials.
    until [[ $(ask "$database" "SELECT count(*) FROM (SELECT 1 FROM trials WHERE status = 'done' GROUP BY owner HAVING count(*) >= $rounds) AS w" 2>/dev/null) == "$count" ]]; do
      sleep 1
      for number in "${!running[@]}"; do
        kill -0 "${running[$number]}" || { echo "scale: WRONG: a worker has ended: $directory/$number/log" >&2; exit 1; }
      done
    done
    kill -TERM "${running[@]}"
    ended
    # From each worker's first result to its last: what it waited for its trials, of all that passed.
    ask "$database" "SELECT '| $count | ' || sum(n) || ' | ' || round(100.0 * $seconds * sum(n - 1) / sum(passed), 1) || ' % |' FROM (
      SELECT count(*) AS n, 86400 * (julianday(max(finished)) - julianday(min(finished))) AS passed FROM trials WHERE status = 'done' GROUP BY owner) AS w"
  done
}

# What a study has come to; its leaderboard without the column of times.
results() { ask "$1" "SELECT formula, seed, status, accuracy, epochs FROM trials ORDER BY formula, seed"; }
ranks() {
  "$program" leaderboard --db "$1" --top 100000 --format csv --sort "$2" 2>/dev/null | python3 -c '
import csv, sys
for row in csv.DictReader(sys.stdin): print(*(cell for name, cell in row.items() if name != "seconds"), sep="|")'
}

kills() {
  local database reference=$directory/reference.db killed=0 number code wrong=0 sort
  database=$(private_postgresql "$directory/postgresql" address kills)
  # An epoch is told, then the trial waits; its score follows from the formula and the seed.
  cat >"$directory/train.sh" <<'SH'
echo '{"epoch": 1, "train_loss": 1}'
sleep "$PAUSE"
echo "{\"score\": 0.$(printf '%s %s' "$1" "$2" | cksum | cut -d ' ' -f 1)}"
SH
  study=(--evaluator "sh $directory/train.sh {formula} {seed}" --unary "identity,tanh,sigmoid,relu,sin,cos" --binary "add,mul,max" --seeds "$seeds")
  PAUSE=0 "$program" search --db "$reference" --strategy exhaustive --jobs 2 --checkpoints "$directory/reference" "${study[@]}" >"$directory/log" 2>&1

  export PAUSE=0.5
  for ((number = 0; number < killed_workers; ++number)); do worker "$number" "$database" "${study[@]}"; done
  while ((killed < kills)); do
    sleep 0.1
    number=$((RANDOM % killed_workers))
    kill -KILL "${running[$number]}" 2>/dev/null || true
    code=0
    wait "${running[$number]}" 2>/dev/null || code=$?
    ((code == 137)) || { echo "scale: WRONG: a worker ended with $code after $killed kills: $directory/$number/log" >&2; exit 1; }
    killed=$((killed + 1))
    worker "$number" "$database" "${study[@]}"
  done
  export PAUSE=0
  ended
  echo "| killed workers | $killed |"
  echo "| trials | $(ask "$database" "SELECT count(*) FROM trials") |"
  echo "| trials taken over from a killed worker | $(ask "$database" "SELECT count(*) FROM trials WHERE attempts > 1") |"
  echo "| results that differ from those of an undisturbed search in a file | $(diff <(results "$reference") <(results "$database") | grep -c '^[<>]') |"
  echo "| counted, less those that are there | $(ask "$database" "SELECT done - (SELECT count(*) FROM trials WHERE status = 'done') FROM recipes") |"
  diff <(results "$reference") <(results "$database") >&2 || wrong=1
  for sort in accuracy lower-bound trials; do
    if diff <(ranks "$reference" "$sort") <(ranks "$database" "$sort") >&2; then
      echo "| rows of the leaderboard by $sort, equal to the file's | $(ranks "$database" "$sort" | wc -l) |"
    else
      wrong=1
    fi
  done
  return "$wrong"
}

claims() {
  ACTSEARCH_BENCH_SERVER=$(private_postgresql "$directory/postgresql" address claims) ACTSEARCH_BENCH_TRIALS=$trials \
    "$(dirname "$program")/leaderboard_bench" "${bench[@]}"
}

wrong=0
for part in "${parts[@]}"; do
  case $part in
    busy | claims) "$part" ;;
    kills) kills || wrong=1 ;;
    *) echo "scale: no part '$part'; there are busy, kills and claims" >&2; exit 2 ;;
  esac
done
exit "$wrong"
