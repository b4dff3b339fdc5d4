#!/usr/bin/env bash
# Tries workers.sbatch for real on one machine: a Slurm of four nodes, a PostgreSQL server, and six workers. On the way one gets SIGTERM, as
# at its time limit, one is killed, one is cancelled, a node dies with all that runs on it, a more urgent job preempts a worker, and the
# database server is started anew. The search must still come to what it comes to undisturbed in an SQLite file, number for number.
#
#   deploy/slurm/try.sh [DIR]        DIR: where everything lies, and stays  [a folder that is removed]
#
# ACTSEARCH_PROGRAM: the program [build/release/actsearch]. Wants root, and what scripts/setup.sh --with-slurm --with-postgresql installs;
# exit code 77 without them, 1 if something does not hold. It ends all that it started.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=scripts/private_postgresql.sh
. "$root/scripts/private_postgresql.sh"
export ACTSEARCH_PROGRAM=${ACTSEARCH_PROGRAM:-$root/build/release/actsearch}

say() { echo "slurm: $*" >&2; }
skip() {
  say "not tried: $*"
  exit 77
}
((EUID == 0)) || skip "it wants root, as whom Slurm's daemons run"
for program in munged slurmctld slurmd sbatch; do
  command -v "$program" >/dev/null || skip "there is no $program (scripts/setup.sh --with-slurm installs it)"
done
private_postgresql_is_here || skip "there is no PostgreSQL server (scripts/setup.sh --with-postgresql installs it)"
[[ -x $ACTSEARCH_PROGRAM ]] || { say "there is no $ACTSEARCH_PROGRAM: build it first, or set ACTSEARCH_PROGRAM"; exit 2; }

nodes=(n1 n2 n3 n4)
if [[ -n ${1:-} ]]; then
  mkdir -p "$1"
  directory=$(cd "$1" && pwd)
else
  directory=$(mktemp -d)
fi
keep=${1:-}
chmod 755 "$directory"
declare -A daemons=()  # process ids by name
finish() {
  local code=$? daemon
  scancel --signal=KILL --full --user=root 2>/dev/null || true
  sleep 1
  for daemon in "${daemons[@]}"; do kill "$daemon" 2>/dev/null || true; done
  wait
  [[ ! -d $directory/postgresql/data ]] || private_postgresql "$directory/postgresql" stop || true
  [[ -n $keep ]] || rm -rf "$directory"
  exit "$code"
}
trap finish EXIT
start() {
  local name=$1
  shift
  "$@" >>"$directory/log/$name.out" 2>&1 &
  daemons[$name]=$!
}

# Slurm without systemd: its own folder, ports and key.
mkdir -p "$directory"/{run,state,log,work,munge}
export SLURM_CONF=$directory/slurm.conf
host=$(hostname -s)
{
  cat <<CONF
ClusterName=try
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=16817
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$directory/munge/socket,cred_expire=5
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
MpiDefault=none
ReturnToService=2
KillWait=5
StateSaveLocation=$directory/state
SlurmdSpoolDir=$directory/spool-%n
SlurmctldPidFile=$directory/run/slurmctld.pid
SlurmdPidFile=$directory/run/slurmd-%n.pid
SlurmctldLogFile=$directory/log/slurmctld.log
SlurmdLogFile=$directory/log/slurmd-%n.log
SlurmdParameters=config_overrides
PropagateResourceLimits=NONE
CONF
  for n in "${!nodes[@]}"; do echo "NodeName=${nodes[n]} NodeHostname=$host NodeAddr=127.0.0.1 Port=$((17001 + n)) CPUs=1 State=UNKNOWN"; done
  echo "PartitionName=usual Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1"
  echo "PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=2"
} >"$SLURM_CONF"
echo "CgroupPlugin=cgroup/v1" >"$directory/cgroup.conf"
head -c 1024 /dev/urandom >"$directory/munge/key"
chmod 400 "$directory/munge/key"
start munged munged --foreground --force --socket="$directory/munge/socket" --key-file="$directory/munge/key" \
  --pid-file="$directory/run/munged.pid" --log-file="$directory/log/munged.log" --seed-file="$directory/munge/seed"
node() { start "$1" slurmd -D -N "$1"; }

# until_so SECONDS WHAT COMMAND…: waits until it succeeds
until_so() {
  local seconds=$1 what=$2 began=$SECONDS
  shift 2
  until "$@"; do
    ((SECONDS - began < seconds)) || { say "WRONG: after $seconds s not yet: $what"; exit 1; }
    sleep 0.2
  done
}
munged_answers() { munge --socket="$directory/munge/socket" --no-input --output=/dev/null 2>/dev/null; }
until_so 10 "munged answers" munged_answers
start slurmctld slurmctld -D
for name in "${nodes[@]}"; do node "$name"; done
idle() { [[ $(sinfo --noheader --Node --format=%T --partition=usual 2>/dev/null | grep -c '^idle$') == "${#nodes[@]}" ]]; }
until_so 30 "four nodes are idle" idle

private_postgresql "$directory/postgresql" start
database=$(private_postgresql "$directory/postgresql" address search)
study=(--data synthetic:100 --batch 16 --precision fp32 --device cpu --epochs 12 --space core1 --strategy exhaustive
  --unary "identity,sigmoid,tanh,relu,sin,softplus" --binary "mul,add,max" --baselines)
say "the same search, undisturbed, in a file"
"$ACTSEARCH_PROGRAM" search --db "$directory/reference.db" "${study[@]}" --jobs 2 >"$directory/log/reference.out" 2>&1

# ask DATABASE SQL: CSV without its header
ask() { "$ACTSEARCH_PROGRAM" query --db "$1" --format csv "$2" | tail -n +2; }
ended() { ask "$database" "SELECT count(*) FROM trials WHERE status IN ('done', 'failed')" 2>/dev/null || echo 0; }
# more N: waits until N more trials have ended, so that each mishap meets a search at work
more() {
  local goal=$(($(ended) + $1))
  reached() { (($(ended) >= goal)); }
  until_so 120 "$goal trials have ended" reached
}
job_of() { squeue --noheader --jobs="${job}_$1" --format=%A 2>/dev/null; }
state_of() { scontrol show job "${job}_$1" | sed -n 's/.*JobState=\([A-Z_]*\).*/\1/p'; }
is_in() { [[ $(state_of "$1") == "$2" ]]; }
was_requeued() { (($(scontrol show job "${job}_$1" | sed -n 's/.*Restarts=\([0-9]*\).*/\1/p') > 0)); }
# requeued TASK WHAT: waits until the task was put into the queue again
requeued() {
  until_so 30 "task $1 is in the queue again after $2" was_requeued "$1"
  say "$2: task $1 is in the queue again"
}
running_on() { squeue --noheader --states=RUNNING --nodelist="$1" --format=%a_%K 2>/dev/null | sed 's/.*_//'; }

cd "$directory/work"
job=$(sbatch --parsable --array=1-6%4 --cpus-per-task=1 "$root/deploy/slurm/workers.sbatch" --db "$database" "${study[@]}")
for task in 1 2 3 4; do until_so 60 "task $task runs" is_in "$task" RUNNING; done
more 2

# scancel tries again and again where the task is in the queue already when it looks for the signal's effect.
timeout 2 scancel --batch --signal=TERM "$(job_of 1)" 2>/dev/null || true
requeued 1 "SIGTERM at the time limit"
more 2

scancel --signal=KILL --full "${job}_2"
until_so 30 "task 2 has ended" is_in 2 CANCELLED
scontrol requeue "${job}_2"
requeued 2 "SIGKILL"
more 2

private_postgresql "$directory/postgresql" stop
sleep 1
private_postgresql "$directory/postgresql" start
say "the database server was started anew"
more 2

# A power cut: the node's daemon, its helper, the script and the worker, all at once.
task=$(running_on n3)
script=$(pgrep --full "^/bin/bash $directory/spool-n3/job")
helper=$(ps --no-headers -o ppid= -p "$script" | tr -d ' ')
kill -KILL "${daemons[n3]}" "$helper" "$script" $(pgrep --parent "$script")
scontrol update nodename=n3 state=down reason="power cut"
requeued "$task" "a node's power cut"
node n3
more 2

task=$(running_on n4)
until [[ -n $task ]]; do sleep 0.2; task=$(running_on n4); done
sbatch --parsable --partition=urgent --nodelist=n4 --output=/dev/null --wrap "sleep 1" >/dev/null
requeued "$task" "preemption"
more 2

task=$(running_on n1)
until [[ -n $task ]]; do sleep 0.2; task=$(running_on n1); done
scancel "${job}_$task"
until_so 30 "task $task is cancelled" is_in "$task" CANCELLED
say "task $task was cancelled and stays so"

nobody_runs() { [[ -z $(squeue --noheader) ]]; }
until_so 300 "the search is done" nobody_runs

# What must hold.
wrong=0
same() {  # WHAT GOT WANTED
  if [[ $2 == "$3" ]]; then say "$1: ${2:0:60}"; else say "WRONG: $1: $2 instead of $3"; wrong=1; fi
}
results="SELECT formula, seed, status, accuracy, train_loss, beta, epochs FROM trials ORDER BY formula, seed"
curves="SELECT formula, seed, epoch, train_loss, validation_accuracy FROM epochs ORDER BY formula, seed, epoch"
for what in results curves; do
  ask "$directory/reference.db" "${!what}" >"$directory/$what.wanted"
  ask "$database" "${!what}" >"$directory/$what.got"
  same "$what that differ" "$(diff "$directory/$what.wanted" "$directory/$what.got" | grep -c '^[<>]')" 0
done
same "trials" "$(ask "$database" "SELECT count(*) FROM trials")" "$(ask "$directory/reference.db" "SELECT count(*) FROM trials")"
same "what counts as done" "$(ask "$database" "SELECT done FROM recipes")" "$(ask "$database" "SELECT count(*) FROM trials WHERE status = 'done'")"
say "$(ask "$database" "SELECT count(DISTINCT owner) FROM trials") processes have finished trials; \
$(ask "$database" "SELECT sum(attempts) - count(*) FROM trials") trials were taken over from dead ones"
((wrong == 0)) && say "all of it held"
exit "$wrong"
