"""The training loop of the published Task2Box code, rewritten from its description.

Written on the ``box-embeddings`` package, as the comparator of ``benchmarks.speed``: one
batch of all ordered pairs, expanded into two box tensors; a network of 1024, 256 and 128
units, each ReLU followed by batch normalisation; a lower corner and a sigmoid side;
Gumbel boxes with a volume temperature of 0.1 and an intersection temperature of 1e-4;
sums of squared errors (times 100) of the training pairs, plus terms for volume (0.7),
distance of centres (0.01) and squareness (1); Adam at 1e-3 for 1,350 epochs.
"""

import contextlib
import os

import torch
from torch import nn

with contextlib.redirect_stdout(open(os.devnull, "w")):  # it prints when imported
    from box_embeddings.modules.intersection.intersection import Intersection
    from box_embeddings.modules.volume.volume import Volume
    from box_embeddings.parameterizations.box_tensor import BoxTensor

EPOCHS = 1350


class PublishedLoop:
    """Trains boxes on the pairs of a matrix that are not NaN.

    Parameters
    ----------
    X : ndarray of shape (n_tasks, n_features)
    strengths : ndarray of shape (n_tasks, n_tasks)
        NaN where a pair must not be learned from.
    box_dim : int
    seed : int
    """

    def __init__(self, X, strengths, box_dim, seed=0):
        torch.manual_seed(seed)
        self.box_dim = box_dim
        self.X = torch.tensor(X, dtype=torch.float32)
        target = torch.tensor(strengths, dtype=torch.float32)
        target.fill_diagonal_(float("nan"))
        self.mask = ~torch.isnan(target).flatten()
        self.target = target.nan_to_num().flatten()
        layers, width = [], self.X.shape[1]
        for size in (1024, 256, 128):
            layers += [nn.Linear(width, size), nn.ReLU(), nn.BatchNorm1d(size)]
            width = size
        self.network = nn.Sequential(*layers, nn.Linear(width, 2 * box_dim))
        self.volume = Volume(volume_temperature=0.1, intersection_temperature=1e-4)
        self.intersection = Intersection(intersection_temperature=1e-4)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=1e-3)

    def boxes(self):
        """Lower corner and upper corner of each task, stacked: (n_tasks, 2, box_dim)."""
        lower, side = self.network(self.X).chunk(2, dim=1)
        return torch.stack([lower, lower + torch.sigmoid(side)], dim=1)

    def overlaps(self, boxes):
        """All n_tasks ** 2 overlaps, row by row."""
        n = len(boxes)
        first = BoxTensor(boxes[:, None].expand(n, n, 2, -1).reshape(n * n, 2, -1))
        second = BoxTensor(boxes[None].expand(n, n, 2, -1).reshape(n * n, 2, -1))
        shared = self.volume(self.intersection(first, second))
        return (shared - self.volume(first)).exp()

    def epoch(self):
        """One step over all pairs."""
        self.network.train()
        self.optimizer.zero_grad()
        boxes = self.boxes()
        errors = (self.overlaps(boxes) - self.target)[self.mask] ** 2
        sides = boxes[:, 1] - boxes[:, 0]
        centers = boxes.mean(1)
        related = (self.target > 0) & self.mask
        heads, tails = related.view(len(boxes), -1).nonzero(as_tuple=True)
        distances = ((centers[heads] - centers[tails]) ** 2).sum(1)
        gaps = (sides[:, :, None] - sides[:, None]).abs().sum((1, 2)) / 2
        volumes = self.volume(BoxTensor(boxes)).exp()
        loss = (
            100 * errors.sum()
            + 0.7 * (volumes ** (-1 / self.box_dim)).sum()
            + 0.01 * distances.sum()
            + (gaps / self.box_dim**2).sum()
        )
        loss.backward()
        self.optimizer.step()

    def predict(self):
        """Overlaps of all ordered pairs, (n_tasks, n_tasks)."""
        self.network.eval()
        with torch.no_grad():
            boxes = self.boxes()
            return self.overlaps(boxes).view(len(boxes), -1).numpy()
