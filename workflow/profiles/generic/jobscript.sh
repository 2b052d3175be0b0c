#!/bin/sh
# properties = {properties}
# Slurm's warning reaches this script alone; it hands it on, once, to all that it started. Of these only a stage that
# asks for the signal gets it: the others ignore it, as what starts them does.
trap 'trap "" USR1; kill -USR1 0' USR1
( trap "" USR1; {exec_job} ) &
job=$!
wait $job
code=$?
while kill -0 $job 2> /dev/null; do # the signal ended the waiting, not the job
    wait $job
    code=$?
done
exit $code
