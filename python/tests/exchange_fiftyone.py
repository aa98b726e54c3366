"""What test_exchange.py runs with FiftyOne: imports a folder, tells what is in it, edits it, exports it again.

FiftyOne keeps everything in MongoDB, whose server cannot be installed by pip alone. Its importer and exporter talk to
mongomock here, which has the same collections in memory; nothing of FiftyOne itself is left out.
"""

import json
import os
import sys
from pathlib import Path

os.environ |= {
    "FIFTYONE_DATABASE_URI": "mongodb://in-memory",
    "FIFTYONE_DATABASE_VALIDATION": "false",
    "FIFTYONE_DO_NOT_TRACK": "1",
    "FIFTYONE_SHOW_PROGRESS_BARS": "0",
}

import mongoengine
import mongomock
import pymongo

STORE = mongomock.store.ServerStore()
connect = mongoengine.connect
pymongo.MongoClient = lambda *args, **kwargs: mongomock.MongoClient(_store=STORE)
mongoengine.connect = lambda name, **kwargs: connect(name, mongo_client_class=pymongo.MongoClient)

import fiftyone  # noqa: E402
import fiftyone.core.odm.database as database  # noqa: E402

# It asks a client whether it is closed by an attribute that mongomock takes for the name of a database.
database._is_client_closed = lambda client: client is None


def told(sample, fields):
    label = {
        name: None if sample[name] is None else sample[name].label
        for name in ("ground_truth", "predictions")
    }
    plain = {name: sample[name] for name in fields}
    size = sample.metadata
    return {
        **label,
        **plain,
        "tags": list(sample.tags),
        "file": sample.filepath,
        "size": [size.width, size.height],
    }


def main(folder, edits, out):
    """Edits are {key: {"label": …, "tags": […]}}; what is there goes to standard output as JSON."""
    kind = fiftyone.types.FiftyOneDataset
    dataset = fiftyone.Dataset.from_dir(folder, dataset_type=kind)
    dataset.compute_metadata()
    schema = dataset.get_field_schema()
    plain = (fiftyone.FloatField, fiftyone.IntField, fiftyone.StringField)
    fields = [name for name, field in schema.items() if isinstance(field, plain)]
    found = {
        "samples": {sample["key"]: told(sample, fields) for sample in dataset},
        "tags": dataset.count_values("tags"),
        "classes": dataset.default_classes,
        "info": dataset.info["datadiet"],
        "about": {name: schema[name].description for name in fields},
        "suspects": len(dataset.match_tags("suspect")),
    }
    for key, edit in json.loads(Path(edits).read_text()).items():
        sample = dataset.one(fiftyone.ViewField("key") == key)
        if "label" in edit:
            label = edit["label"]
            sample["ground_truth"] = label and fiftyone.Classification(label=label)
        sample.tags.extend(edit.get("tags", []))
        sample.save()
    dataset.export(export_dir=out, dataset_type=kind, export_media=False)
    print(json.dumps(found, default=str))


if __name__ == "__main__":
    main(*sys.argv[1:])
