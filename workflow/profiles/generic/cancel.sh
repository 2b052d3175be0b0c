#!/bin/sh
# Cancels the jobs with these ids.
for job in "$@"; do
    set -- "$@" "${job%%;*}" # sbatch --parsable may add the cluster's name
    shift
done
scancel "$@" & # goes on should Snakemake, which waits for two seconds, kill this script
wait $!
