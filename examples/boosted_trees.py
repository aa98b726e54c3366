"""Gradient-boosted trees of scikit-learn as a trainer of datadiet: an epoch is one tree for each class.

Run it with ``python examples/boosted_trees.py``; it needs datadiet, scikit-learn.
"""

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.model_selection import train_test_split

import datadiet

values, classes = load_breast_cancer(return_X_y=True)
train_values, test_values, train_labels, test_labels = train_test_split(
    values, classes, test_size=169, random_state=0, stratify=classes
)


@datadiet.trainer(
    labels=train_labels,
    classes=["malignant", "benign"],
    name="breast-cancer",
    epochs=20,
    settings={"depth": 2},
    pass_="all training examples after each tree",
)
def train(job):
    # The model is no network: its whole state is one object that can be pickled.
    model = job.restore()
    if model is None:
        model = GradientBoostingClassifier(
            max_depth=job.settings["depth"],
            subsample=0.5,
            n_estimators=0,
            warm_start=True,
            random_state=job.seed,
        )
    x, y = train_values[job.ids], job.labels
    for epoch in job.epochs_left():
        model.set_params(n_estimators=epoch + 1)
        model.fit(x, y)
        if job.records:
            # Two classes have one logit z: the two columns 0 and z.
            z = model.decision_function(x)
            job.record(job.ids, np.column_stack([np.zeros_like(z), z]), y)
        job.checkpoint(model)
    held_out = None
    if len(job.validation_ids):
        held_out = model.score(train_values[job.validation_ids], job.validation_labels)
    return job.result(accuracy=model.score(test_values, test_labels), validation=held_out)


if __name__ == "__main__":
    table = datadiet.score(train, replicas=3, at=[5, 20])
    print(table)
    curve = datadiet.experiments.curve(train, by="el2n@5", keep=[0.75, 0.5], fixed="epochs")
    for point in curve.points:
        print(point["series"], point["keep"], point["accuracy"]["mean"])
    print(curve.report)
