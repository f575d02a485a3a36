"""What runs measure, invented."""

from __future__ import annotations


def result(miou: float, seconds: float = 60.0, **changes: object) -> dict[str, object]:
    """What a run of two classes measures, with invented numbers."""
    classes = [{"name": name, "iou": miou, "recall": miou, "precision": None} for name in ("_background_", "Label")]
    return {
        "seconds": seconds, "whole_time": True, "memory": 5e8, "number_format": "float32", "samples": 8,
        "history": [{"epoch": 1, "loss": 2.0, "val_loss": 3.0, "miou": None},
                    {"epoch": 2, "loss": 1.0, "val_loss": 2.0, "miou": miou}],
        "scores": {"miou": miou, "mpa": miou, "mprecision": miou, "mrecall": miou, "accuracy": miou,
                   "classes": classes},
        "predict_memory": 0.0, "seconds_a_sheet": 0.25, "parameters": 5_814_037, "flops": 2_500_000_000,
        "machine": "a machine", **changes,
    }
