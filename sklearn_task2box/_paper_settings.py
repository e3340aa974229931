"""PAPER_SETTINGS: arguments of a BoxRelationEmbedder that run the model of the paper."""

from sklearn_task2box.nets import Objective

# Settings of Task2Box (Daroya, Sun & Maji, CVPR 2024) and its published code, with the
# sums of that code made means at 100 tasks, 5 % of whose pairs are related.
PAPER_SETTINGS = {
    "hidden_layer_sizes": (1024, 256, 128),
    "normalization": "batch",
    "teacher": None,
    "side": "sigmoid",
    "temperature": 0.1,
    "objective": Objective(
        "squared_error",
        positive_weight=1.0,
        exponent=1.0,
        escape_weight=0.0,
        volume_weight=7e-5,
        distance_weight=5e-6,
        squareness_weight=1e-4,
    ),
    "max_epochs": 1350,
    "batch_size": None,
    "learning_rate": 1e-3,
    "learning_rate_schedule": "constant",
    "max_gradient_norm": None,
}
