#!/bin/sh
# A trainer of datadiet in shell and awk: the protocol without Python (docs/TRAINERS.md).
#
# It classifies points of the plane by the nearest class mean. An epoch moves the means a third of the way to
# those of the examples; they begin at points that the seed chooses. Logits are negative squared distances.
#
#   datadiet score --trainer 'sh examples/nearest_mean.sh points.csv test.csv' --train-examples points.csv \
#       --epochs 5 --at 1,5
#
# points.csv and test.csv have the columns id,label,x,y.
set -eu
points=$1 test=$2 run=$3

# A number of job.json, which has one a line: {"seed": 17, …}.
number() { sed -n "s/^ *\"$1\": *\([0-9][0-9]*\).*/\1/p" "$run/job.json" | head -n 1; }
seed=$(number seed)
epochs=$(number stop_after)
id=$(sed -n 's/^ *"run": *"\([0-9a-f]*\)".*/\1/p' "$run/job.json")
# Epochs to record: the numbers between the brackets behind "record".
record=$(tr -d ' \n' <"$run/job.json" | sed 's/.*"record":\[\([0-9,]*\)\].*/\1/')

echo "training on $(($(wc -l <"$run/train.csv") - 1)) points" # Shown as this trainer's own words.

awk -F, -v seed="$seed" -v epochs="$epochs" -v record=",$record," -v run="$run" -v points="$points" \
    -v train="$run/train.csv" -v validation="$run/validation.csv" -v test="$test" -v id="$id" '
function nearest(x, y,    class, best, least, d) {
    least = 1e300
    for (class = 0; class < classes; class++) {
        d = (x - mx[class]) ^ 2 + (y - my[class]) ^ 2
        if (d < least) { least = d; best = class }
    }
    return best
}
function share(hits, of) { return of ? sprintf("%.6f", hits / of) : 0 }
BEGIN {
    srand(seed)
    for (line = 0; (getline < points) > 0; line++) if (line) { px[$1] = $3; py[$1] = $4 }
    for (line = 0; (getline < train) > 0; line++) if (line) {
        ids[++n] = $1; label[$1] = $2; if ($2 >= classes) classes = $2 + 1
    }
    for (class = 0; class < classes; class++) { mx[class] = rand() - 0.5; my[class] = rand() - 0.5 }
    for (epoch = 1; epoch <= epochs; epoch++) {
        split("", sx); split("", sy); split("", count)
        for (i = 1; i <= n; i++) {
            class = label[ids[i]]; sx[class] += px[ids[i]]; sy[class] += py[ids[i]]; count[class]++
        }
        for (class = 0; class < classes; class++) if (count[class]) {
            mx[class] += (sx[class] / count[class] - mx[class]) / 3
            my[class] += (sy[class] / count[class] - my[class]) / 3
        }
        if (index(record, "," epoch ",")) {
            file = run "/recorded/epoch_" epoch ".csv"
            printf "id,label" > file
            for (class = 0; class < classes; class++) printf ",logit_%d", class > file
            printf "\n" > file
            for (i = 1; i <= n; i++) {
                printf "%d,%d", ids[i], label[ids[i]] > file
                for (class = 0; class < classes; class++)
                    printf ",%.6f", -((px[ids[i]] - mx[class]) ^ 2 + (py[ids[i]] - my[class]) ^ 2) > file
                printf "\n" > file
            }
            close(file)
        }
        printf "{\"event\": \"at\", \"done\": %d}\n", epoch
        fflush()
    }
    for (line = 0; (getline < test) > 0; line++) if (line) { tested++; right += nearest($3, $4) == $2 }
    while ((getline < validation) > 0) if ($1 != "id") { held++; kept += nearest(px[$1], py[$1]) == $2 }
    printf "{\"run\": \"%s\", \"epochs\": %d, \"test\": {\"accuracy\": %s}, \"validation\": {\"accuracy\": %s}}\n",
        id, epochs, share(right, tested), share(kept, held) > (run "/metrics.json.part")
}'
# Last, and whole or not at all.
mv "$run/metrics.json.part" "$run/metrics.json"
