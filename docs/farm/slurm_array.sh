#!/bin/bash
# A batch of lines as an array of Slurm, 16 parts of two cores each:
#   sbatch --array=1-16 docs/farm/slurm_array.sh /show/lines.csv /show/faces_out
# Submitted again, it goes on where it was cut off. Not run yet: there was no cluster.
#SBATCH --job-name=lsf-batch
#SBATCH --cpus-per-task=2
#SBATCH --mem=2G
#SBATCH --time=2:00:00
#SBATCH --signal=B:TERM@60
export OMP_NUM_THREADS=2 # the same number everywhere gives the same bytes everywhere
cd "${LSF_PROJECT:?is the folder of this project}" || exit 2
exec "${LSF_PYTHON:-python3}" -m server batch "$1" --out "$2" --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT"
