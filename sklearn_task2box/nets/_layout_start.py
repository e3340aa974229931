"""Start of a fit with init="layout": boxes that are constructed from the relations."""

import numpy as np
import torch

from sklearn_task2box.boxes._layout import layout
from sklearn_task2box.nets._encoders import Table

# Steps, peak learning rate and batch size where a network is fitted to boxes.
_STEPS, _RATE, _ROWS = 200, 5e-3, 8192


def start_from_layout(encoder, dataset, temperature, rng, device):
    """Fit a network to boxes that are constructed from the related pairs of a dataset."""
    pairs, box_dim = dataset.pairs, encoder.n_outputs // 2
    corners = layout(*pairs.contained(), pairs.n_tasks, box_dim, random_state=rng)
    # A step of the layout is about the temperature, and a power of 2: exact.
    step = 2.0 ** np.ceil(np.log2(temperature))
    lower, upper = (torch.from_numpy(step * (c - corners[1].max() // 2)) for c in corners)
    outputs = encoder.outputs_of(lower, upper).float()
    if isinstance(encoder.body, Table):
        with torch.no_grad():
            encoder.body.rows.weight[dataset.features] = outputs
    else:
        _fit_outputs(encoder.body, dataset, outputs, device)


def _fit_outputs(body, dataset, outputs, device):
    """Fit a body to given outputs, a tensor of shape (n_tasks, n_outputs)."""
    body.to(device).train()
    outputs = outputs.to(device)
    scale = outputs.std(0).clamp(min=1e-6)
    optimizer = torch.optim.Adam(body.parameters())
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=_STEPS)
    n = len(outputs)
    generator = torch.Generator().manual_seed(0)
    for _ in range(_STEPS):
        rows = slice(None)
        if n > _ROWS:
            rows = torch.randint(n, (_ROWS,), generator=generator)
        gaps = (body(dataset.rows(rows, device)) - outputs[rows]) / scale
        optimizer.zero_grad()
        (gaps**2).mean().backward()
        optimizer.step()
        scheduler.step()
