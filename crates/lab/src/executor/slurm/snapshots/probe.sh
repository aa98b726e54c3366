#!/bin/bash
#SBATCH --job-name=datadiet-3fa4c1-probe
#SBATCH --output="/shared/a store/sweeps/3fa4c1/probe.log"
#SBATCH --open-mode=append
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --no-requeue
#SBATCH --gres=gpu:1
# Written by datadiet.

srun --ntasks=1 --cpus-per-task=1 '/shared/bin/datadiet' worker --probe '/shared/a store/sweeps/3fa4c1'
