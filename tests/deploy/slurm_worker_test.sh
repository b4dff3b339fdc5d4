#!/usr/bin/env bash
# deploy/slurm/workers.sbatch without Slurm: stand-ins for the program, squeue and scontrol note what they are called with.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
cd "$directory"
mkdir bin
cat >bin/actsearch <<'SH'
#!/bin/bash
echo "$*" >words
trap 'sleep 0.2; exit 130' TERM
touch begun
for ((i = 0; i < ${WORK:-0}; ++i)); do sleep 0.1; done
SH
echo 'echo "$STATE"' >bin/squeue
echo 'echo "$*" >>requeued' >bin/scontrol
chmod +x bin/*
export PATH=$directory/bin:$PATH SLURM_JOB_ID=17 SLURM_CPUS_PER_TASK=4
unset ACTSEARCH_PROGRAM

failed=0
# expect WHAT GOT WANTED
expect() { [[ $2 == "$3" ]] || { echo "$1: '$2' instead of '$3'"; failed=1; }; }
# worker [FLAGS…]: runs it to its end; the exit code
worker() {
  local code=0
  rm -f begun requeued
  bash "$root/deploy/slurm/workers.sbatch" --db place "$@" || code=$?
  echo "$code"
}
# asked_to_end STATE: the same, with SIGTERM to the script alone once the worker runs
asked_to_end() {
  local code=0 script
  rm -f begun requeued
  STATE=$1 WORK=100 bash "$root/deploy/slurm/workers.sbatch" --db place &
  script=$!
  until [[ -e begun ]]; do sleep 0.05; done
  kill -TERM "$script"
  wait "$script" || code=$?
  echo "$code"
}

expect "an end of its own" "$(worker --space core2)" 0
expect "its words" "$(cat words)" "search --db place --space core2 --jobs 4"
expect "what has nothing left to do waits again" "$(ls requeued 2>/dev/null)" ""
expect "a GPU" "$(SLURM_JOB_GPUS=0 worker)" 0
expect "jobs on a GPU are the program's to choose" "$(cat words)" "search --db place"
expect "jobs that are given" "$(worker --jobs 2)" 0
expect "jobs that are given stay" "$(cat words)" "search --db place --jobs 2"
expect "an evaluator command" "$(worker --evaluator 'sh train.sh')" 0
expect "an evaluator's words" "$(cat words)" "search --db place --evaluator sh train.sh"
expect "SIGTERM" "$(asked_to_end RUNNING)" 130
expect "after SIGTERM it waits in the queue again" "$(cat requeued)" "requeue 17"
expect "a cancelled one" "$(asked_to_end COMPLETING)" 130
expect "a cancelled one stays ended" "$(ls requeued 2>/dev/null)" ""
exit "$failed"
