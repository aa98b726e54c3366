#!/bin/bash
#SBATCH --job-name=datadiet-3fa4c1+0
#SBATCH --output="/shared/a store/sweeps/3fa4c1/%A_%a.log"
#SBATCH --open-mode=append
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --requeue
#SBATCH --signal=TERM@120
# Written by datadiet.

sweep='/shared/a store/sweeps/3fa4c1'
task=$((SLURM_ARRAY_TASK_ID + 0))
folder=$sweep/../../$(sed -n "$((task + 1))s/^[a-z]* //p" "$sweep/tasks.txt")
# A signal to this shell means that Slurm itself ends the job, and begins it again or does not.
told=; trap 'told=1' TERM
# A step of its own, since warnings before the end of a job's time go to steps.
srun --ntasks=1 --cpus-per-task=1 '/shared/bin/datadiet' worker --task "$task" "$sweep"
code=$?
# Saved in the middle, and nobody asked to end: on with it in another job, at the same place in the queue.
if [ $code = 3 ] && [ -z "$told" ] && [ ! -e "$sweep/stop" ] && [ ! -e "$folder/stop" ]; then
    scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID" && exit $code
fi
mkdir -p "$sweep/ended"
echo "$SLURM_ARRAY_JOB_ID $code" >"$sweep/ended/.$task" && mv -f "$sweep/ended/.$task" "$sweep/ended/$task"
exit $code
