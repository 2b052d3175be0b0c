#!/bin/sh
# Prints what became of one job: running, success or failed. Works with and without Slurm's accounting.
job=${1%%;*} # sbatch --parsable may add the cluster's name
if shown=$(scontrol --oneliner show job "$job" 2>&1); then # warnings of Slurm's are lines of their own
    state=$(printf '%s\n' "$shown" | sed -n 's/^JobId=.* JobState=\([A-Z_]*\).*/\1/p' | head -n 1)
elif printf '%s\n' "$shown" | grep -q 'Invalid job id'; then # over for longer than MinJobAge
    state=$(sacct --jobs="$job" --allocations --noheader --parsable2 --format=State 2> /dev/null | tail -n 1)
else
    state=UNREACHABLE # the controller does not answer; ask again
fi
case "$state" in
    COMPLETED) echo success ;;
    PENDING | CONFIGURING | RUNNING | COMPLETING | SUSPENDED | STOPPED | SIGNALING | STAGE_OUT) echo running ;;
    REQUEUED | REQUEUE_HOLD | REQUEUE_FED | RESIZING | RESV_DEL_HOLD | SPECIAL_EXIT | UNREACHABLE) echo running ;;
    *) echo failed ;; # unknown as well: the stage is submitted again, and ends at once if DVC finds it up to date
esac
