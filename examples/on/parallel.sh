#!/bin/sh
# Tasks of a sweep on a few machines that share a folder (NFS, say) and are reached by ssh, by GNU parallel:
#
#   datadiet plan score job.toml --store /shared/store        # tells the folder
#   sh parallel.sh /shared/store/sweeps/3fa4c1 n1,n2,n3
#   datadiet score job.toml --store /shared/store             # the table
#
# One task a machine at a time. A machine that dies fails its task, which is tried twice more, from its last checkpoint.
# Not run by datadiet's tests.
set -eu
sweep=$1
machines=$2
tasks=$(wc -l <"$sweep/tasks.txt")
seq 0 $((tasks - 1)) |
    parallel --sshlogin "$machines" --jobs 1 --retries 3 --joblog "$sweep/parallel.log" \
        datadiet worker --task {} "$sweep"
