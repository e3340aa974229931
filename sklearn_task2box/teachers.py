"""The networks whose mean opinion of unknown pairs is learned along with the relations.

Boxes of few dimensions have many good layouts that differ in what they say of pairs not
seen, each without a doubt. Averaged over some fits the doubt shows, and it can be taught to
a single one (knowledge distillation: Hinton, Vinyals & Dean, arXiv:1503.02531, 2015).
Teachers have more dimensions, in which there are fewer poor layouts, and fewer epochs; every
other one has normalised layers, so that they differ more. Found on validation pairs of
mammals and digits.
"""

# Their number, and the number of tasks up to which they are asked for without being told to.
N_TEACHERS = 4
MAX_TASKS = 2000

_BOX_DIM = 10
_TEMPERATURE = 0.1
_MAX_EPOCHS = 200


def teacher_settings(settings, number, seed):
    """Arguments of a teacher, from those of the estimator that is to learn from it.

    Parameters
    ----------
    settings : dict
        Arguments of a BoxRelationEmbedder.
    number : int
        Which teacher it is: every other one has normalised layers.
    seed : int

    Returns
    -------
    settings : dict
    """
    own = {
        "box_dim": max(_BOX_DIM, settings["box_dim"]),
        "max_epochs": min(_MAX_EPOCHS, settings["max_epochs"]),
        "init": "random",
        "n_teachers": 0,
        "early_stopping": False,
        "callbacks": None,
        "verbose": 0,
        "random_state": seed,
    }
    if settings["temperature"] == "auto":
        own["temperature"] = _TEMPERATURE
    if settings["normalization"] is None and number % 2:
        own["normalization"] = "layer"
    return {**settings, **own}
