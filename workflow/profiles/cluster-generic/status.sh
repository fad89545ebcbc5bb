#!/bin/sh
# What became of a job of SLURM: `running`, `success` or `failed`. Nothing is known of a job that ended long ago, and no
# answer at all is no reason to give a job up. A job that its partition can never run would wait for ever.
# LSF: bjobs -noheader -o stat "$1" says DONE, EXIT, or other words while it runs.
# PBS: qstat -x -f "$1" says Exit_status = 0, Exit_status = another number, or no such line while it runs.
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
