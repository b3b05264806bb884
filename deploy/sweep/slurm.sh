#!/bin/bash
# A sweep as an array of eight jobs, and one that merges what they wrote.
#
#     sbatch deploy/sweep/slurm.sh
#     sbatch --dependency=afterany:JOBID --wrap "kvsim merge sim-results/runs/shard-*.jsonl --junit sim-results/runs/junit.xml"
#
# A job that ran out of time, or was preempted, goes on where it was when it is submitted again: --resume.
#SBATCH --job-name=kvsim-sweep
#SBATCH --array=1-8
#SBATCH --cpus-per-task=16
#SBATCH --mem=16G
#SBATCH --time=02:00:00
#SBATCH --requeue
set -u
shards=8
# Ends in time to be merged, whatever is left.
kvsim sweep scenarios/*.toml --seeds 0..10000 --jobs "$SLURM_CPUS_PER_TASK" --time 110m \
    --shard "$SLURM_ARRAY_TASK_ID/$shards" --results "sim-results/runs/shard-$SLURM_ARRAY_TASK_ID.jsonl" --resume
