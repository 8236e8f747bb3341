#!/usr/bin/env bash
# Tries the recipes of scenarios/README.md for real: Slurm arrays, GNU parallel, Snakemake, and the
# parts of a Kubernetes job without Kubernetes. Not part of the ordinary tests.
#
# Needs: a built program (cargo build), and Debian's packages
#   parallel                            for GNU parallel
#   slurmctld slurmd slurm-client munge for Slurm, and root, to start its daemons on this host alone
# and snakemake (of Debian or PyPI).
# What is missing is skipped and said. With a tmpfs (root) it also tries a disk that runs full.
#
# Use: tests/clusters.sh [PROGRAM]
set -euo pipefail
cd "$(dirname "$0")/.."
readme=$(realpath scenarios/README.md)
program=$(realpath "${1:-target/debug/headwater}")
desk=$(mktemp -d)
daemons=()
cleanup() {
    for daemon in "${daemons[@]:-}"; do
        if [ -n "$daemon" ]; then kill "$daemon" 2>/dev/null || true; fi
    done
    mountpoint -q "$desk/disk" && umount "$desk/disk"
    rm -rf "$desk"
}
trap cleanup EXIT
cd "$desk"
mkdir bin && ln -s "$program" bin/headwater
export PATH="$desk/bin:$PATH"

cat >my.toml <<'TOML'
name = "my"
duration = "2s"
[nodes]
count = 20
[network]
latency = "20ms"
[[rumors]]
at = "0s"
every = "100ms"
count = 10
node = "all"
spread = "forward-once"
fanout = 3
[sweep]
seeds = "1..=12"
[[sweep.axis]]
key = "network.loss"
values = ["0%", "5%", "10%"]
TOML
headwater sweep my.toml --quiet --output whole

same() {
    diff -r whole "$1"
    echo "ok: $2"
}

if command -v parallel >/dev/null; then
    headwater sweep my.toml --commands --output alone | parallel --jobs 4
    same alone "GNU parallel, a command for each run"
    parallel --jobs 4 headwater sweep my.toml --quiet --shard auto/5 --jobs 1 --output part-{} ::: 1 2 3 4 5
    headwater merge --output joined part-* >/dev/null
    same joined "GNU parallel, five parts joined"
else
    echo "skipped: GNU parallel is not here (apt-get install parallel)"
fi

for index in 0 1 2 3 4 5 6 7; do
    JOB_COMPLETION_INDEX=$index headwater sweep my.toml --quiet --shard auto/8 --output indexed
done
same indexed "eight pods of a Kubernetes job, by their index"

if command -v snakemake >/dev/null; then
    sed -n '/^```python$/,/^```$/p' "$readme" | sed '1d;$d' >Snakefile
    snakemake --cores 2 >snakemake.log 2>&1 || { cat snakemake.log; exit 1; }
    same results/my-sweep "Snakemake, the rules of the README"
else
    echo "skipped: Snakemake is not here (pip install snakemake)"
fi

slurm_is_up() {
    command -v slurmctld slurmd sbatch munged >/dev/null && [ "$(id -u)" = 0 ]
}
if slurm_is_up; then
    host=$(hostname -s)
    mkdir -p slurm/state slurm/spool /run/munge
    [ -e /etc/munge/munge.key ] || { dd if=/dev/urandom of=/etc/munge/munge.key bs=1k count=1 2>/dev/null; }
    chown -R munge: /etc/munge /run/munge /var/log/munge /var/lib/munge
    chmod 400 /etc/munge/munge.key
    pgrep -x munged >/dev/null || { runuser -u munge -- munged --foreground >slurm/munge.log 2>&1 & daemons+=($!); sleep 1; }
    cat >slurm/slurm.conf <<CONF
ClusterName=desk
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
CredType=cred/munge
ProctrackType=proctrack/pgid
TaskPlugin=task/none
StateSaveLocation=$desk/slurm/state
SlurmdSpoolDir=$desk/slurm/spool
SlurmctldPidFile=$desk/slurm/slurmctld.pid
SlurmdPidFile=$desk/slurm/slurmd.pid
SlurmctldPort=16817
SlurmdPort=16818
SelectType=select/cons_tres
ReturnToService=2
MpiDefault=none
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:8
CONF
    export SLURM_CONF="$desk/slurm/slurm.conf"
    slurmctld -D >slurm/controller.log 2>&1 & daemons+=($!)
    slurmd -D >slurm/node.log 2>&1 & daemons+=($!)
    for _ in $(seq 60); do sinfo -h -o %T 2>/dev/null | grep -Eq 'idle|mix|alloc' && break; sleep 1; done
    cat >sweep.sh <<'JOB'
#!/bin/sh
#SBATCH --array=3-9:2
#SBATCH --output=task-%a.log
exec headwater sweep my.toml --shard auto --jobs 1 --output array
JOB
    sbatch --wait --chdir="$desk" sweep.sh >/dev/null || { tail slurm/*.log task-*.log; exit 1; }
    grep -q "part 1/4 by Slurm array (SLURM_ARRAY_TASK_ID=3)" task-3.log
    same array "Slurm, an array of four tasks with a step"
else
    echo "skipped: Slurm needs root and slurmctld, slurmd, slurm-client, munge"
fi

mkdir disk
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=64k tmpfs disk 2>/dev/null; then
    code=0
    headwater sweep my.toml --quiet --output disk/here 2>said || code=$?
    [ "$code" = 6 ] && grep -q "No space left" said && [ "$(wc -l <said)" = 1 ]
    kept=$(ls disk/here/records | wc -l)
    mount -o remount,size=8m disk
    headwater sweep my.toml --output disk/here | grep -q "$kept found"
    same disk/here "a disk that ran full with $kept records, then had room again"
else
    echo "skipped: a full disk needs root and the right to mount a tmpfs"
fi
