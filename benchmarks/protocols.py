"""How relations are divided into those learned from, chosen on and tested on.

Every method gets the same pairs for the same seed. Ordered pairs are drawn one by one: of
a pair held out, the one in the other direction may be among those of training, and it is
not scored in its place.
"""

from dataclasses import dataclass

import numpy as np

# More test pairs than this are drawn from, with the share of related ones kept.
MAX_TEST = 500_000
PROTOCOLS = ("fixed", "unseen", "novel", "few20", "few05")


@dataclass(frozen=True)
class Split:
    """Relations to learn from, to choose on and to test on.

    Attributes
    ----------
    protocol : str
    seed : int
    known : ndarray of int, of shape (n_known,)
        Positions of the tasks to learn from, ascending.
    train : ndarray of shape (n_known, n_known)
        Strengths among them; NaN where a pair must not be learned from.
    validation : tuple of ndarray
        Pairs of shape (n_pairs, 2), in positions of all tasks, and their strengths: for
        thresholds and settings.
    tests : dict of str to tuple of ndarray
        The same for each part of the test.
    """

    protocol: str
    seed: int
    known: np.ndarray
    train: np.ndarray
    validation: tuple
    tests: dict

    def known_features(self, X):
        """Rows of X, all the tasks there are, to learn from."""
        return X.iloc[self.known]


def split(data, protocol, seed=0, max_test=MAX_TEST):
    """Divide the relations of a data set.

    Parameters
    ----------
    data : RelationData
    protocol : {"fixed", "unseen", "novel", "few20", "few05"}
        "fixed" is the split that came with the data. "unseen": 80 % of the ordered pairs
        to learn from, 10 % to choose on, 10 % to test on. "few20" and "few05": 18 and
        4.5 % to learn from, 2 and 0.5 % to choose on, the rest to test on. "novel": 20 %
        of the tasks are held out with all their relations, which are tested by direction;
        of the relations among the others, 10 % are to choose on. Shares hold of the
        related pairs and of the unrelated ones.
    seed : int, default=0
        Does not matter to "fixed".
    max_test : int, default=500_000
        Largest number of pairs in a part of the test.

    Returns
    -------
    split : Split
    """
    rng = np.random.RandomState(seed)
    everything = np.arange(data.n_tasks)
    if protocol == "fixed":
        if data.mask is None:
            raise ValueError(f"{data.name} came without a split.")
        parts = [_listed(data, data.mask == part) for part in range(3)]
        return _split(data, protocol, seed, everything, *parts[:2], {"test": parts[2]})
    if protocol == "novel":
        order = rng.permutation(data.n_tasks)
        n_novel = round(0.2 * data.n_tasks)
        novel = np.zeros(data.n_tasks, dtype=bool)
        novel[order[:n_novel]] = True
        known = ~novel
        among = _listed(data, known[:, None] & known)
        train, validation = divide(*among, (0.9, 0.1), rng)
        tests = {
            "novel_to_known": _listed(data, novel[:, None] & known),
            "known_to_novel": _listed(data, known[:, None] & novel),
            "novel_to_novel": _listed(data, novel[:, None] & novel),
        }
        tests = {k: thin(*v, max_test, rng) for k, v in tests.items() if len(v[0])}
        return _split(data, protocol, seed, np.flatnonzero(known), train, validation, tests)
    shares = {
        "unseen": (0.8, 0.1, 0.1),
        "few20": (0.18, 0.02, 0.8),
        "few05": (0.045, 0.005, 0.95),
    }
    if protocol not in shares:
        raise ValueError(f"protocol must be one of {PROTOCOLS}; got {protocol!r}.")
    every = _listed(data, np.ones_like(data.strengths, dtype=bool))
    train, validation, test = divide(*every, shares[protocol], rng)
    tests = {"test": thin(*test, max_test, rng)}
    return _split(data, protocol, seed, everything, train, validation, tests)


def _listed(data, chosen):
    """The chosen pairs that are part of the data, and their strengths."""
    pairs = np.argwhere(chosen & ~np.isnan(data.strengths))
    return pairs, data.strengths[tuple(pairs.T)]


def _split(data, protocol, seed, known, train, validation, tests):
    seen = np.full(data.strengths.shape, np.nan)
    pairs, strengths = train
    seen[tuple(pairs.T)] = strengths
    return Split(protocol, seed, known, seen[np.ix_(known, known)], validation, tests)


def divide(pairs, strengths, shares, rng):
    """Divide pairs at random, the related and the unrelated alike.

    Each part gets at least one of each kind, if there are that many.
    """
    parts = [[] for _ in shares]
    for related in (True, False):
        rows = rng.permutation(np.flatnonzero((strengths > 0) == related))
        for part, some in zip(parts, np.split(rows, _cuts(len(rows), shares)), strict=True):
            part.append(some)
    rows = [np.sort(np.concatenate(part)) for part in parts]
    return [(pairs[some], strengths[some]) for some in rows]


def _cuts(n, shares):
    """Where to cut n rows, such that small shares are not rounded to nothing."""
    sizes = np.maximum(np.round(n * np.array(shares)).astype(int), min(1, n // len(shares)))
    sizes[np.argmax(sizes)] += n - sizes.sum()
    return np.cumsum(sizes)[:-1]


def thin(pairs, strengths, most, rng):
    """At most that many of the pairs, drawn from the related and the unrelated alike."""
    if len(pairs) <= most:
        return pairs, strengths
    share = most / len(pairs)
    return divide(pairs, strengths, (share, 1 - share), rng)[0]
