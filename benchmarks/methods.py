"""The methods that the benchmark of relations compares, cheap ones first."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

from sklearn_task2box import PAPER_SETTINGS, BoxRelationEmbedder, baselines


def _always(data):
    return True


@dataclass(frozen=True)
class Method:
    """How to make an estimator.

    Attributes
    ----------
    make : callable
        ``make(seed, dim, data)`` is an estimator with the interface of BoxRelationEmbedder.
        Of the data, it may only read what they are made of, such as ``n_means``.
    dims : tuple of int
        Dimensions of the boxes or half the coordinates of another geometry, such that a
        task has as many numbers in both. (0,) where there is none.
    applies : callable
        ``applies(data)`` says whether it means anything for these data.
    random : bool
        Whether the seed makes a difference.
    """

    make: Callable
    dims: tuple = (0,)
    applies: Callable = _always
    random: bool = True


def _similarity(name, applies=_always):
    def make(seed, dim, data):
        variances = name == "gaussian_kl" and data.n_means is not None
        return baselines.SimilarityBaseline(name, variances=variances)

    return Method(make, applies=applies, random=False)


def _classifier(model):
    def make(seed, dim, data):
        return baselines.PairClassifier(model=model, random_state=seed)

    return Method(make)


def _geometry(name):
    def make(seed, dim, data):
        return baselines.GeometryBaseline(
            geometry=name, n_components=2 * dim, random_state=seed
        )

    return Method(make, dims=(5, 2))


# The fit of one method and dimension serves another, too.
SERVED = {("boxes", 5): ("teachers", 5)}


def _boxes(seed, dim, data):
    predict_from = "teachers" if ("boxes", dim) in SERVED else "boxes"
    return BoxRelationEmbedder(dim, predict_from=predict_from, random_state=seed)


def views(method, dim, model):
    """What to ask for the predictions of each method that a fitted model serves."""
    if (method, dim) not in SERVED:
        return {method: model}
    boxes = copy.copy(model)
    boxes._reads_teachers = False  # as a fit with predict_from="boxes": a test says so
    return {method: boxes, SERVED[method, dim][0]: model}


METHODS = {
    "popularity": Method(
        lambda seed, dim, data: baselines.PopularityBaseline(), random=False
    ),
    "closure": Method(lambda seed, dim, data: baselines.ClosureBaseline(), random=False),
    "random": Method(lambda seed, dim, data: baselines.RandomBaseline(random_state=seed)),
    "additive": Method(
        lambda seed, dim, data: baselines.AdditiveBaseline(),
        applies=lambda data: data.graded,
        random=False,
    ),
    # Without variances, it ranks as the Euclidean distance does.
    "gaussian_kl": _similarity("gaussian_kl", lambda data: data.n_means is not None),
    "asymmetric_cosine": _similarity("asymmetric_cosine"),
    "euclidean": _similarity("euclidean"),
    "boxes": Method(_boxes, dims=(5, 2, 20)),
    "teachers": Method(
        lambda seed, dim, data: BoxRelationEmbedder(
            dim, predict_from="teachers", random_state=seed
        ),
        dims=(5,),
    ),
    "linear": _classifier("linear"),
    "order": _geometry("order"),
    "gaussian": _geometry("gaussian"),
    "poincare": _geometry("poincare"),
    "cone": _geometry("cone"),
    "bilinear": _geometry("bilinear"),
    "boosted_trees": _classifier("boosted_trees"),
    "mlp": _classifier("mlp"),
    "boxes_paper": Method(
        lambda seed, dim, data: BoxRelationEmbedder(
            dim, random_state=seed, **PAPER_SETTINGS
        ),
        dims=(5, 2),
    ),
}
