#!/usr/bin/env bash
# Kills searches, races, reruns and finalists again and again, and checks that nothing is lost, doubled or left behind.
#
# scripts/kill_soak.sh [MINUTES] [SEED]        (10 minutes; a seed repeats the moments, not the scheduling)
#
# A process is killed at a random moment, or at its n-th write, fsync, rename or unlink (before it, after it, or with half of the bytes
# written; tests/faults/die_at.c). Then it is started again, until it has been killed often, and then let run to its end. Every second time
# two processes share the file. What it came to is compared with a run that nobody disturbed. docs/reliability.md has the results.
#
# ACTSEARCH_PROGRAM: the program (build/release/actsearch). ACTSEARCH_SOAK_DIR: where to work; kept if something did not hold.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
minutes=${1:-10}
RANDOM=${2:-1}
program=${ACTSEARCH_PROGRAM:-$root/build/release/actsearch}
work=${ACTSEARCH_SOAK_DIR:-$(mktemp -d)}
mkdir -p "$work"
[[ -x $program ]] || { echo "kill_soak: there is no $program: build it first, or set ACTSEARCH_PROGRAM" >&2; exit 2; }
export OMP_WAIT_POLICY=passive  # threads that spin would slow each other down where two processes share the cores
shim=$work/die_at.so
${CC:-cc} -O1 -shared -fPIC -o "$shim" "$root/tests/faults/die_at.c" -ldl

data=(--data synthetic:100 --batch 16 --precision fp32)
space=(--space core1 --strategy exhaustive --unary identity,sigmoid,tanh --binary "mul,add" --epochs 2 --seed 0)
search() { echo search --db "$1" "${data[@]}" "${space[@]}" --seeds 3 --jobs "$2"; }
race() { echo search --db "$1" "${data[@]}" "${space[@]}" --racing --rungs 0.5,1 --eta 1.5 --jobs "$2"; }
rerun() { echo rerun --db "$1" "${data[@]}" --recipe vgg16-slim --epochs 3 --expr relu --expr swish --expr "x*tanh(x)" --seeds 3; }
finalists() {
  echo finalists --db "$1" --top 4 --data synthetic:100 --batch 16 --precision fp32 --seeds 3 --full-seeds 2 --recipe vgg16-slim --epochs 3 --jobs "$2"
}
kinds=(search race rerun finalists)

exec 3>&2  # the shell itself says on standard error whom it saw die
failures=0
wrong() {
  echo "kill_soak: WRONG: $*" >&3
  failures=$((failures + 1))
}
# table FILE SQL: as CSV
table() { "$program" query --db "$1" --format csv "$2"; }
# What must not differ: a race's order is its own, so there what has ended in both.
results="SELECT formula, seed, recipe_id, status, accuracy, final_test_accuracy, train_loss, beta, epochs FROM trials
  WHERE status IN ('done', 'failed') AND NOT EXISTS (SELECT 1 FROM failures f WHERE f.trial = trials.trial AND f.reason = 'process died')
  ORDER BY formula, recipe_id, seed"
curves="SELECT e.formula, e.seed, e.epoch, e.train_loss, e.train_accuracy, e.validation_loss, e.validation_accuracy, e.test_accuracy, t.recipe_id
  FROM epochs e JOIN trials t ON t.trial = e.trial WHERE t.status = 'done' ORDER BY e.formula, t.recipe_id, e.seed, e.epoch"

# prepared KIND FILE: what the command needs to begin with
prepared() {
  if [[ $1 == finalists ]]; then cp "$work/searched.db" "$2"; fi
}
echo "kill_soak: undisturbed runs first" >&2
read -ra words <<<"$(search "$work/searched.db" 2)"
"$program" "${words[@]}" >"$work/log" 2>&1
for kind in "${kinds[@]}"; do
  reference=$work/$kind.reference.db
  prepared "$kind" "$reference"
  read -ra words <<<"$("$kind" "$reference" 2)"
  "$program" "${words[@]}" >"$work/log" 2>&1
  table "$reference" "$results" >"$work/$kind.results"
  table "$reference" "$curves" >"$work/$kind.curves"
done

declare -A killed=() finished=()
survived=0 given_up=0 rounds=0
# begin COMMAND…: starts it with a death of its own, and notes its process id in "pids"
begin() {
  local call when
  if ((RANDOM % 3 == 0)); then
    "$program" "$@" >>"$log" 2>&1 &
    pids+=($!)
    calls+=(moment)
  else
    call=$(shuf -n1 -e write fsync rename unlink --random-source=<(yes $RANDOM))
    when=$(shuf -n1 -e before after $([[ $call == write ]] && echo half half) --random-source=<(yes $RANDOM))
    # A trial writes dozens of times, renames its checkpoint after each epoch, and removes it once.
    local most=600
    case $call in fsync) most=60 ;; rename) most=20 ;; unlink) most=10 ;; esac
    LD_PRELOAD=$shim ACTSEARCH_DIE_AT=$call:$((RANDOM % most + 1)):$when "$program" "$@" >>"$log" 2>&1 &
    pids+=($!)
    calls+=("$call")
  fi
}

round() {
  local kind=$1 together=$2 file kills=$((RANDOM % 20 + 5)) jobs=$((RANDOM % 2 + 1)) code
  file=$work/$rounds.$kind.db
  log=$work/$rounds.log
  : >"$log"
  prepared "$kind" "$file"
  local words
  read -ra words <<<"$("$kind" "$file" "$jobs")"
  local ended=0
  for ((i = 0; i < kills && ended == 0; ++i)); do
    pids=() calls=()
    for ((p = 0; p < together; ++p)); do begin "${words[@]}"; done
    # Those that die by themselves have a while for it; then all are killed.
    sleep "0.$((RANDOM % 7))$((RANDOM % 10))"
    for p in "${!pids[@]}"; do
      if [[ ${calls[p]} != moment ]]; then
        for ((t = 0; t < 30; ++t)); do kill -0 "${pids[p]}" 2>/dev/null || break; sleep 0.05; done
      fi
      kill -KILL "${pids[p]}" 2>/dev/null || true
      code=0
      wait "${pids[p]}" 2>/dev/null || code=$?
      case $code in
        137) killed[${calls[p]}]=$((${killed[${calls[p]}]:-0} + 1)) ;;
        0) survived=$((survived + 1)) ended=1 ;;
        *) wrong "$kind: exit code $code instead of a death ($log)" ;;
      esac
    done
  done
  code=0
  timeout 900 "$program" "${words[@]}" >>"$log" 2>&1 || code=$?
  ((code == 0)) || wrong "$kind: the run that nobody disturbed ends with $code ($log)"
  check "$kind" "$file"
  finished[$kind]=$((${finished[$kind]:-0} + 1))
}

check() {
  local kind=$1 file=$2
  table "$file" "$results" >"$work/results"
  table "$file" "$curves" >"$work/curves"
  if [[ $kind == race ]]; then
    # Who goes on depends on the order in which trials come to a rung; what one came to does not.
    for what in results curves; do
      if join -t '|' -v 1 <(sort "$work/$what") <(sort "$work/$kind.$what") | awk -F, '{print $1","$2","$3}' | sort -u |
        join - <(awk -F, '{print $1","$2","$3}' "$work/$kind.$what" | sort -u) | grep -q .; then
        wrong "race: $file has other $what than an undisturbed race"
      fi
    done
  else
    local dead
    dead=$(table "$file" "SELECT count(*) FROM failures WHERE reason = 'process died'" | tail -1)
    given_up=$((given_up + dead))
    for what in results curves; do
      if ((dead > 0)); then
        [[ -z $(comm -23 <(sort "$work/$what") <(sort "$work/$kind.$what")) ]] || wrong "$kind: $file has other $what"
      else
        cmp -s "$work/$what" "$work/$kind.$what" || wrong "$kind: $file has other $what than an undisturbed run"
      fi
    done
  fi
  local open doubles
  open=$(table "$file" "SELECT count(*) FROM trials WHERE status = 'running'" | tail -1)
  ((open == 0)) || wrong "$kind: $file has $open trials that nobody works on"
  doubles=$(table "$file" "SELECT count(*) FROM (SELECT 1 FROM trials GROUP BY candidate, recipe_id, seed HAVING count(*) > 1)" | tail -1)
  ((doubles == 0)) || wrong "$kind: $file has trials twice"
  doubles=$(table "$file" "SELECT count(*) FROM trials t WHERE status = 'done' AND epochs <> (SELECT count(*) FROM epochs e WHERE e.trial = t.trial)" | tail -1)
  ((doubles == 0)) || wrong "$kind: $file has trials without all their epochs"
  # Races keep the checkpoints of those that wait; nobody keeps any of a trial that has ended.
  local left=0 waiting
  if [[ -d $file.checkpoints ]]; then left=$(find "$file.checkpoints" -name '*.checkpoint*' | wc -l); fi
  waiting=$(table "$file" "SELECT count(*) FROM trials WHERE status = 'released'" | tail -1)
  ((left <= waiting * 3)) || wrong "$kind: $left files lie in $file.checkpoints, and $waiting trials wait"
  if [[ $kind != race ]] && ((left > 0)); then wrong "$kind: $left files are left in $file.checkpoints"; fi
}

end=$((SECONDS + minutes * 60))
exec 2>/dev/null
while ((SECONDS < end)); do
  before=$failures
  kind=${kinds[rounds % 4]}
  round "$kind" $((rounds / 4 % 2 + 1))
  if ((failures == before)); then rm -rf "$work/$rounds".*; fi
  rounds=$((rounds + 1))
done

total=0
for call in moment write fsync rename unlink; do total=$((total + ${killed[$call]:-0})); done
echo "kill_soak: $rounds rounds in $minutes minutes: $(for kind in "${kinds[@]}"; do echo -n "$kind ${finished[$kind]:-0} "; done)"
echo "kill_soak: $total kills: at a random moment ${killed[moment]:-0}, at a write ${killed[write]:-0}, fsync ${killed[fsync]:-0}, rename ${killed[rename]:-0}, unlink ${killed[unlink]:-0}"
echo "kill_soak: $survived processes came to their end before their death; $given_up trials were given up after four deaths in a row"
if ((failures > 0)); then
  echo "kill_soak: $failures things did not hold: see $work" >&3
  exit 1
fi
[[ -n ${ACTSEARCH_SOAK_DIR:-} ]] || rm -rf "$work"
echo "kill_soak: nothing lost, nothing doubled, nothing left behind"
