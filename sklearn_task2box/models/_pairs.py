"""Classifiers of pairs of tasks from the features of both."""

from dataclasses import KW_ONLY, dataclass
from functools import partial
from itertools import pairwise
from numbers import Integral, Real

import numpy as np
import torch
from scipy.special import expit
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn
from torch.nn import functional as F

from sklearn_task2box.base import RelationModel
from sklearn_task2box.models._pair_nets import fit_module
from sklearn_task2box.nets._encoders import hidden_sizes
from sklearn_task2box.utils._features import dense

# As quick as they are about as good on WordNet mammals and nouns.
_USUAL = {
    "mlp": {"max_iter": 800, "max_pairs": 32_768, "learning_rate": 2e-3},
    "linear": {"max_iter": 1000, "max_pairs": 32_768, "learning_rate": 1e-2},
    "boosted_trees": {"max_iter": 200, "max_pairs": 65_536, "learning_rate": 0.1},
}
# Else trees are worse the more pairs they see: leaves of few related pairs explode.
_LEAF_PENALTY = 3.0


class PairMLP(nn.Module):
    """Multilayer perceptron over the concatenated features of head and tail."""

    def __init__(self, n_features, hidden_layer_sizes, n_similarities=0):
        super().__init__()
        sizes = [*hidden_layer_sizes, 1]
        self.first = nn.Linear(2 * n_features, sizes[0])
        layers = []
        for size, following in pairwise(sizes):
            layers += [nn.ReLU(inplace=True), nn.Linear(size, following)]
        self.rest = nn.Sequential(*layers)
        self.differences = self.products = None
        if n_similarities:
            self.differences = nn.Linear(n_features, n_similarities, bias=False)
            self.products = nn.Linear(n_features, n_similarities, bias=False)
            self.similar = nn.Linear(2 * n_similarities, sizes[0], bias=False)

    def parts(self, heads, tails):
        """Contributions of heads and of tails to the first layer, from their features."""
        weight_head, weight_tail = self.first.weight.chunk(2, dim=1)
        return F.linear(heads, weight_head, self.first.bias), F.linear(tails, weight_tail)

    def forward(self, features, heads, tails):
        """Log-odds of pairs of rows of features."""
        head_rows, heads = heads.unique(return_inverse=True)
        tail_rows, tails = tails.unique(return_inverse=True)
        features = features[head_rows], features[tail_rows]
        head, tail = self.parts(*features)
        compared = 0.0
        if self.differences is not None:
            compared = self.compare(features[0][heads], features[1][tails])
        return self.join(head, tail, heads, tails, compared)

    def compare(self, one, other):
        """Contributions of pairs to the first layer, alike in both directions."""
        compared = [self.differences((one - other).abs()), self.products(one * other)]
        return self.similar(torch.cat(compared, dim=1))

    def join(self, head, tail, heads, tails, compared):
        """Log-odds of pairs, from the contributions of their tasks, and of both."""
        hidden = F.embedding(heads, head) + F.embedding(tails, tail) + compared
        return self.rest(hidden).squeeze(1)


@dataclass(eq=False, repr=False)
class PairClassifier(RelationModel):
    """Classifier of pairs of tasks from the features of both.

    The features of head and tail are standardized and concatenated. A pair of strength s
    counts as s of a related pair and 1 - s of an unrelated one.

    Parameters
    ----------
    model : {"mlp", "linear", "boosted_trees"}, default="mlp"
        A pair MLP; logistic regression, which can only add up contributions of head and
        tail; or gradient boosted trees over the principal components of both
        (scikit-learn's HistGradientBoostingClassifier or, where strengths are graded, its
        Regressor, clipped to [0, 1]).
    hidden_layer_sizes : tuple of int or int, default=(256, 128)
        Widths of the hidden layers of model="mlp".
    n_similarities : int, default=0
        Number of learned weighted sums of the absolute differences of the features, and of
        their products, that model="mlp" reads besides. With few observed pairs, 32 help.
    n_components : int, default=32
        Number of principal components of a task, at most, that model="boosted_trees" reads.
    max_iter : int, default=None
        Steps, rounded up to whole epochs, or trees. None: 800 (MLP), 1000 (linear), 200.
    max_pairs : int, default=None
        Pairs per epoch, as of a :class:`GeometryModel`. None is 32,768, and 65,536 for the
        trees, which see one draw only.
    batch_size : int, default=1024
        Pairs per step.
    learning_rate : float, default=None
        Peak of a one-cycle schedule of Adam, or shrinkage of the trees. None is 0.002 for
        the MLP, 0.01 for the linear model and 0.1 for the trees.
    weight_decay : float, default=0.0005
        L2 penalty of Adam.
    random_state : int, RandomState instance or None, default=None
        Seed of weights, components and draws of pairs.

    Attributes
    ----------
    loss_curve_ : list of float
        Mean loss of each epoch; not with trees.
    model_ : PairMLP or scikit-learn estimator
    tasks_, relations_, threshold_, n_features_in_, feature_names_in_ : see RelationModel

    Examples
    --------
    >>> from sklearn_task2box.models import PairClassifier
    >>> from sklearn_task2box.datasets import load_digits_tasks
    >>> X, strengths = load_digits_tasks(return_X_y=True)
    >>> model = PairClassifier("linear", max_iter=100, random_state=0)
    >>> model.fit(X, strengths).predict_proba(X[:2]).shape
    (2, 120)
    """

    model: str = "mlp"
    _: KW_ONLY
    hidden_layer_sizes: tuple | int = (256, 128)
    n_similarities: int = 0
    n_components: int = 32
    max_iter: int | None = None
    max_pairs: int | None = None
    batch_size: int = 1024
    learning_rate: float | None = None
    weight_decay: float = 5e-4
    random_state: int | np.random.RandomState | None = None

    _parameter_constraints = {  # noqa: RUF012
        "model": [StrOptions({"mlp", "linear", "boosted_trees"})],
        "hidden_layer_sizes": [Integral, tuple, list, np.ndarray],
        "n_similarities": [Interval(Integral, 0, None, closed="left")],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left"), None],
        "max_pairs": [Interval(Integral, 2, None, closed="left"), None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither"), None],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
    }

    def _fit_pairs(self, X, pairs):
        rng = check_random_state(self.random_state)
        # The squares of larger numbers overflow in the scaler; a power of 2 is exact.
        largest = np.abs(dense(X)).max()
        self._unit = 2.0 ** np.floor(np.log2(largest)) if largest > 0 else 1.0
        steps = [StandardScaler()]
        if self.model == "boosted_trees":
            steps.append(PCA(min(self.n_components, *X.shape), random_state=rng))
        self._preparation = make_pipeline(*steps).set_output(transform="default")
        with np.errstate(invalid="ignore"):  # shares of the variance of equal rows
            self._preparation.fit(dense(X) / self._unit)
        given = {name: getattr(self, name) for name in _USUAL[self.model]}
        given = {name: value for name, value in given.items() if value is not None}
        learn = self._learn_trees if self.model == "boosted_trees" else self._learn_net
        learn(X, pairs, rng, **_USUAL[self.model] | given)

    def _prepared(self, X):
        return self._preparation.transform(dense(X) / self._unit)

    def _learn_net(self, X, pairs, rng, **settings):
        sizes, n_similarities = [], 0
        if self.model == "mlp":
            sizes = hidden_sizes(self.hidden_layer_sizes)
            n_similarities = self.n_similarities
        features = self._prepared(X).astype(np.float32)
        compared = features.shape[1] if n_similarities else 1
        self._width = 16 * max([*sizes, compared])  # blocks that a cache holds
        self.model_, self.loss_curve_ = fit_module(
            partial(PairMLP, features.shape[1], sizes, n_similarities),
            torch.from_numpy(features),
            pairs,
            optimizer=partial(torch.optim.Adam, fused=True),
            weight_decay=self.weight_decay,
            batch_size=self.batch_size,
            rng=rng,
            **settings,
        )
        self.model_.double()  # predictions of a task do not depend on the others of a batch

    def _learn_trees(self, X, pairs, rng, max_pairs, **settings):
        tasks = self._prepared(X)
        heads, tails, strengths, weights = pairs.sample(max_pairs, rng)
        kind = HistGradientBoostingClassifier
        if pairs.is_graded:
            kind = HistGradientBoostingRegressor
        settings |= {"l2_regularization": _LEAF_PENALTY, "early_stopping": False}
        self.model_ = kind(random_state=rng, **settings)
        self._width = 16 * tasks.shape[1]
        ends = np.hstack([tasks[heads], tasks[tails]])
        self.model_.fit(ends, strengths, sample_weight=weights / weights.mean())

    def _represent(self, X, known):
        X = self._prepared(X)
        if self.model == "boosted_trees":
            return X
        with torch.no_grad():
            X = torch.from_numpy(X).to(self.model_.first.weight.dtype)
            kept = list(self.model_.parts(X, X))
            if self.model_.differences is not None:
                kept.append(X)
            return torch.cat(kept, dim=1).numpy()

    def _pair_strengths(self, tasks, heads, tails):
        if self.model != "boosted_trees":
            width = self.model_.first.out_features
            tasks = torch.from_numpy(tasks)
            head, tail, X = tasks.split([width, width, tasks.shape[1] - 2 * width], dim=1)
            ends, compared = (torch.from_numpy(heads), torch.from_numpy(tails)), 0.0
            with torch.no_grad():
                if self.model_.differences is not None:  # a pair is like its reverse
                    keys = np.minimum(heads, tails) * len(X) + np.maximum(heads, tails)
                    keys, at = np.unique(keys, return_inverse=True)
                    compared = self.model_.compare(X[keys // len(X)], X[keys % len(X)])[at]
                logits = self.model_.join(head, tail, *ends, compared)
            return expit(logits.double().numpy())
        pairs = np.hstack([tasks[heads], tasks[tails]])
        if hasattr(self.model_, "predict_proba"):
            return self.model_.predict_proba(pairs)[:, -1]
        return np.clip(self.model_.predict(pairs), 0, 1)
