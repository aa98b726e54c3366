#!/bin/bash
#SBATCH --job-name=datadiet-3fa4c1+1000
#SBATCH --output="/shared/a store/sweeps/3fa4c1/%A_%a.log"
#SBATCH --open-mode=append
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --requeue
#SBATCH --signal=TERM@120
#SBATCH --mem=8192M
#SBATCH --gres=gpu:a100:1
#SBATCH --time=4:00:00
#SBATCH --partition=gpu
#SBATCH --account=xyz
#SBATCH --constraint=nvme
# Written by datadiet.

module load cuda/12.8
[ $? = 0 ] || { echo 'error: setup of [on] does not work on this node: module load cuda/12.8' >&2; exit 2; }
source /proj/env/bin/activate
[ $? = 0 ] || { echo 'error: setup of [on] does not work on this node: source /proj/env/bin/activate' >&2; exit 2; }
sweep='/shared/a store/sweeps/3fa4c1'
task=$((SLURM_ARRAY_TASK_ID + 1000))
# A signal to this shell means that Slurm itself ends the job, and begins it again or does not.
told=; trap 'told=1' TERM
# A step of its own, since warnings before the end of a job's time go to steps.
srun --ntasks=1 --cpus-per-task=4 '/shared/bin/datadiet' worker --task "$task" "$sweep"
code=$?
folder=$sweep/../../$(sed -n "$((task + 1))s/^[a-z]* //p" "$sweep/tasks.txt")
mkdir -p "$sweep/ended"
note=$sweep/ended/$task
# Saved in the middle, and nobody asked to end: on with it in another job, at the same place in the queue, unless
# that leads nowhere. Of a training that does not say how far it is, two minutes count as a step.
stuck=0
if [ $code = 3 ] && [ -z "$told" ] && [ ! -e "$sweep/stop" ] && [ ! -e "$folder/stop" ]; then
    step=$(sed -n 's/.*"step": *\([0-9][0-9]*\).*/\1/p' "$folder/progress.json" 2>/dev/null | tail -n 1)
    array= best=-1
    [ ! -e "$note.step" ] || read -r array best stuck <"$note.step"
    [ "$array" = "$SLURM_ARRAY_JOB_ID" ] || best=-1 stuck=0
    if [ "${step:-0}" -gt "$best" ]; then
        best=${step:-0} stuck=0
    elif [ -d "$folder/checkpoint" ] && [ -z "$step" ] && [ "$SECONDS" -ge 120 ]; then
        stuck=0
    else
        stuck=$((stuck + 1))
    fi
    echo "$SLURM_ARRAY_JOB_ID $best $stuck" >"$note.step"
    if [ "$stuck" -le 3 ]; then
        scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID" && exit $code
        stuck=0
    fi
fi
echo "$SLURM_ARRAY_JOB_ID $code $stuck" >"$note.aside" && mv -f "$note.aside" "$note"
exit $code
