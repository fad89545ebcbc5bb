#!/bin/sh
# Print the status of a SLURM job: `running`, `success` or `failed`. A job that SLURM no longer knows has failed; if SLURM
# does not answer, the job counts as running. A job that its partition can never run would wait forever, so it is
# cancelled.
# LSF: bjobs -noheader -o stat "$1" prints DONE or EXIT, and other words while the job runs.
# PBS: qstat -x -f "$1" prints Exit_status = 0, or another number, and no such line while the job runs.
state=$(squeue --noheader --states=all --format='%T %r' --jobs="$1" 2>&1)
case "$state" in
COMPLETED*) echo success ;;
BOOT_FAIL* | CANCELLED* | DEADLINE* | FAILED* | NODE_FAIL* | OUT_OF_MEMORY* | PREEMPTED* | REVOKED* | TIMEOUT*)
    echo failed ;;
"PENDING PartitionConfig" | "PENDING PartitionTimeLimit" | "PENDING BadConstraints")
    echo "error: job $1 can never run: ${state#* }; ask for less, or name another partition" >&2
    scancel "$1"
    echo failed ;;
"" | *"Invalid job id"*) echo failed ;;
*) echo running ;;
esac
