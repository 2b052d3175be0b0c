#!/bin/bash
# Starts a Slurm with fake GPUs on this machine: up.sh [FOLDER [CPUS]], CPUS being the processors of each of its nodes.
# Everything but /etc/slurm/*.conf lies in FOLDER, the daemons' process ids too, one a line in FOLDER/pids; down.sh
# [FOLDER] ends them.
# Exit code 3 and a reason: such a Slurm cannot be had here.
set -euo pipefail
folder=${1:-/run/deltadistill-slurm}
cpus=${2:-4}
here=$(cd "$(dirname "$0")" && pwd)

cannot() { echo "$*" >&2; exit 3; }

[ "$(id -u)" = 0 ] || cannot "Slurm's daemons need root"
if [ -e /etc/slurm/slurm.conf ] && ! grep -q '^# deltadistill' /etc/slurm/slurm.conf; then
    cannot "this machine has a Slurm of its own (/etc/slurm/slurm.conf)"
fi
if ! command -v slurmctld slurmd munged > /dev/null; then
    command -v apt-get > /dev/null || cannot "neither Slurm nor apt-get is there"
    install="apt-get install --yes --no-install-recommends slurm-wlm munge"
    mkdir -p "$folder"
    { $install || { apt-get update && $install; }; } > "$folder/apt.log" 2>&1 < /dev/null \
        || cannot "apt-get does not install slurm-wlm and munge: $(tail -n 1 "$folder/apt.log")"
fi
"$here/down.sh" "$folder"  # an earlier one

mkdir -p "$folder"/{state,spool-toy1,spool-toy2} /etc/slurm
chmod 755 "$folder"
touch "$folder/pids"

start() { # the process keeps its id through exec
    nice -n 5 "$@" >> "$folder/daemons.log" 2>&1 < /dev/null &
    echo $! >> "$folder/pids"
}

fill() { sed -e "s|HOST|$(hostname -s)|" -e "s|FOLDER|$folder|" -e "s|CPUS|$cpus|" -e "s|MEMORY|$((cpus * 4000))|" \
    "$here/$1" > "/etc/slurm/$1"; }
fill slurm.conf
fill gres.conf
fill cgroup.conf
for gpu in 1 2 3 4; do # like /dev/null; a count without a device makes the node invalid
    mknod "$folder/gpu$gpu" c 1 3
done

(umask 077 && head -c 128 /dev/urandom > "$folder/munge.key")
start munged --foreground --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" \
    --pid-file="$folder/munged.pid" --log-file="$folder/munged.log" --seed-file="$folder/munged.seed"
for _ in $(seq 50); do [ -S "$folder/munge.socket" ] && break; sleep 0.1; done
start slurmctld -D -c
start slurmd -D -N toy1
start slurmd -D -N toy2
for _ in $(seq 150); do
    [ "$(sinfo --noheader --partition toy --states idle --format %D 2> /dev/null)" = 2 ] && exit 0
    sleep 0.2
done
sinfo --long --Node >&2 || true
tail -n 5 "$folder"/*.log >&2
"$here/down.sh" "$folder"
echo "Slurm did not come up within 30 s" >&2
exit 1
