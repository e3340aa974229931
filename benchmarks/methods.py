"""The methods that the benchmark of relations compares, cheap ones first."""

from collections.abc import Callable
from dataclasses import dataclass

from sklearn_task2box import (
    PAPER_SETTINGS,
    BoxRelationEmbedder,
    DistilledBoxEmbedder,
    RelationEnsemble,
    models,
)


def _always(data):
    return True


@dataclass(frozen=True)
class Method:
    """How to make an estimator.

    Attributes
    ----------
    make : callable
        ``make(seed, dim, data)`` returns a relation model. Of the data, it may only read
        what they are made of, such as ``n_means``.
    dims : tuple of int
        Dimensions of the boxes, or half the coordinates of another geometry, so that a
        task has as many numbers in both. (0,) where there is none.
    applies : callable
        ``applies(data)`` returns whether the method means anything for these data.
    random : bool
        Whether the seed makes a difference.
    seeds : int or None
        How many it is run with at most.
    """

    make: Callable
    dims: tuple = (0,)
    applies: Callable = _always
    random: bool = True
    seeds: int | None = None


def _similarity(name, applies=_always):
    def make(seed, dim, data):
        variances = name == "gaussian_kl" and data.n_means is not None
        return models.SimilarityModel(name, variances=variances)

    return Method(make, applies=applies, random=False)


def _classifier(model):
    def make(seed, dim, data):
        return models.PairClassifier(model=model, random_state=seed)

    return Method(make)


def _geometry(name):
    def make(seed, dim, data):
        return models.GeometryModel(geometry=name, n_components=2 * dim, random_state=seed)

    return Method(make, dims=(5, 2))


def _boxes(seed, dim, data):
    return BoxRelationEmbedder(dim, random_state=seed)


def _distilled(seed, dim, data):
    return DistilledBoxEmbedder(BoxRelationEmbedder(dim), random_state=seed)


def _paper(seed, dim, data):
    return BoxRelationEmbedder(dim, random_state=seed, **PAPER_SETTINGS)


# One fit of distilled boxes serves the ensemble, too: it is their teacher.
SERVED = {("distilled", 5): ("ensemble", 5)}


def views(method, dim, model):
    """The fitted models, by method, that one fit gives."""
    if (method, dim) not in SERVED:
        return {method: model}
    return {method: model, SERVED[method, dim][0]: model.teacher_}


METHODS = {
    "popularity": Method(lambda seed, dim, data: models.PopularityModel(), random=False),
    "closure": Method(lambda seed, dim, data: models.ClosureModel(), random=False),
    "random": Method(lambda seed, dim, data: models.RandomModel(random_state=seed)),
    "additive": Method(
        lambda seed, dim, data: models.AdditiveModel(),
        applies=lambda data: data.graded,
        random=False,
    ),
    # Without variances, it ranks as the Euclidean distance does.
    "gaussian_kl": _similarity("gaussian_kl", lambda data: data.n_means is not None),
    "asymmetric_cosine": _similarity("asymmetric_cosine"),
    "euclidean": _similarity("euclidean"),
    "neighbors": Method(lambda seed, dim, data: models.NeighborsModel(), random=False),
    "kernel_ridge": Method(lambda seed, dim, data: models.KernelRidgeModel(), random=False),
    "boxes": Method(_boxes, dims=(5, 2, 20)),
    "distilled": Method(_distilled, dims=(5, 2, 20)),
    # An ensemble has no dimension of its own: 5 is that of the boxes distilled from it.
    "ensemble": Method(
        lambda seed, dim, data: RelationEnsemble(random_state=seed), dims=(5,)
    ),
    "linear": _classifier("linear"),
    "order": _geometry("order"),
    "gaussian": _geometry("gaussian"),
    "poincare": _geometry("poincare"),
    "cone": _geometry("cone"),
    "bilinear": _geometry("bilinear"),
    "boosted_trees": _classifier("boosted_trees"),
    "mlp": _classifier("mlp"),
    # As long as four networks with default settings, and first in no test so far.
    "boxes_paper": Method(_paper, dims=(5, 2), seeds=1),
}
