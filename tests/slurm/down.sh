#!/bin/bash
# Ends the Slurm that up.sh [FOLDER] started: its jobs, its daemons by their process ids, its files in /etc/slurm.
set -euo pipefail
folder=${1:-/run/deltadistill-slurm}

if [ -e "$folder/pids" ] && [ -e /etc/slurm/slurm.conf ]; then
    timeout 10 scancel --quiet --user "$(id -un)" 2> /dev/null || true
    for _ in $(seq 40); do # job steps are children of init and end with their jobs
        [ -z "$(timeout 5 squeue --noheader --states running,completing 2> /dev/null)" ] && break
        sleep 0.25
    done
fi
while read -r pid; do
    case "$(cat "/proc/$pid/comm" 2> /dev/null)" in
        munged | slurmctld | slurmd)
            kill "$pid"
            for _ in $(seq 50); do # slurmctld saves its state first
                grep -qs '^State:.[^Z]' "/proc/$pid/status" || break
                sleep 0.1
            done
            ;;
    esac
done < <(tac "$folder/pids" 2> /dev/null)
if grep -qs '^# deltadistill' /etc/slurm/slurm.conf; then
    rm -f /etc/slurm/{slurm,gres,cgroup}.conf
fi
rm -rf "$folder"/{pids,state,jobs.log,gpu?,munge*} "$folder"/spool-*
