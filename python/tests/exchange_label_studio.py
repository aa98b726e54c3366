"""What test_exchange.py runs with Label Studio's SDK: checks the interface and its tasks, and answers some of them.

Answers have the shape in which Label Studio exports a project as JSON.
"""

import json
import sys
from pathlib import Path

from label_studio_sdk.label_interface import LabelInterface
from label_studio_sdk.label_interface.objects import AnnotationValue

FOLDER = Path(sys.argv[1])


def annotation(interface, number, answer):
    """One person's answer: {"by", "label", "mark", "skipped", "at"}."""
    result = [
        {
            "id": f"r{number}-{name}",
            "from_name": name,
            "to_name": "example",
            "type": "choices",
            "origin": "manual",
            "value": {"choices": [answer[name]]},
        }
        for name in ("label", "mark")
        if answer.get(name) is not None
    ]
    value = AnnotationValue(
        completed_by=1, result=result, was_cancelled=bool(answer.get("skipped"))
    )
    made = value.model_dump()
    if answer.get("valid", True):
        assert interface.validate_annotation(made), made
    by = answer.get("by", 1)
    return {
        **made,
        "id": number,
        "completed_by": {"id": number, "email": by} if isinstance(by, str) else by,
        "created_at": answer.get("at", "2026-11-01T10:00:00.000000Z"),
        "updated_at": answer.get("at", "2026-11-01T10:00:00.000000Z"),
    }


def main():
    interface = LabelInterface((FOLDER / "config.xml").read_text())
    interface.validate()
    tasks = json.loads((FOLDER / "tasks.json").read_text())
    for task in tasks:
        # With predictions it calls its own check of them without one.
        assert interface.validate_task({"data": task["data"]}), task
        for prediction in task["predictions"]:
            assert interface.validate_prediction(prediction, return_errors=True) == [], prediction
    answers = json.loads(sys.argv[2])
    completed = [
        {
            "id": number,
            "data": task["data"],
            "predictions": [],
            "annotations": [
                annotation(interface, 10 * number + place, answer)
                for place, answer in enumerate(answers.get(task["data"]["key"], []))
            ],
        }
        for number, task in enumerate(tasks, 1)
    ]
    (FOLDER / "completed.json").write_text(json.dumps(completed))
    control = interface.get_control("label")
    told = {
        "tasks": tasks,
        "classes": list(control.labels),
        "objects": [type(one).__name__ for one in interface.objects],
        "layout": control.attr.get("layout"),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
