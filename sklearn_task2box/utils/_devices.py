"""Devices, precision, random state and threads of a fit."""

import os
import threading
from contextlib import contextmanager

import torch

# Up to this many pairs a step is too short to be shared among threads.
_MAX_SINGLE_THREAD = 250_000
# torch has one random state for the whole process.
_random_state = threading.RLock()
# Each Python thread has a number of torch threads; a new one starts with that set last.
_counts = threading.Lock()
# By Python thread that runs a small fit: its number before.
_small_fits: dict[int, int] = {}


def _unlock():
    """Release locks in a forked process, which has no threads that would do so."""
    global _random_state, _counts
    _random_state, _counts = threading.RLock(), threading.Lock()
    _small_fits.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)


def resolve_device(name):
    """Name of an available device; "auto" is "cuda" where it is available, else "cpu"."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):
        raise ValueError(
            f"device must be 'auto', 'cpu', 'cuda' or another name that torch.device "
            f"knows; got {name!r}."
        ) from None
    if device.type == "meta":
        raise ValueError("device='meta' has no numbers to train with; use 'auto'.")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0].split(". ")[0]
        raise ValueError(
            f"device={name!r} can't be used here: {reason}. Use "
            "device='auto', which takes the CPU where torch has no CUDA."
        ) from None
    return str(device)


def is_mixed(device):
    """Whether hidden layers compute in bfloat16: on CUDA devices that support it."""
    # From compute capability 8.0 on; older ones only imitate bfloat16.
    return device.startswith("cuda") and torch.cuda.get_device_capability(device) >= (8,)


@contextmanager
def seeded(seed, device):
    """Seed torch within a block, in float32, and restore its random state afterwards.

    Another thread that enters such a block waits: do not wait for it within.
    """
    cuda = [torch.device(device)] if device.startswith("cuda") else []
    with _random_state, torch.random.fork_rng(devices=cuda):
        torch.default_generator.manual_seed(int(seed))
        for one in cuda:
            with torch.cuda.device(one):
                torch.cuda.manual_seed(int(seed))
        dtype = torch.get_default_dtype()
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)


@contextmanager
def few_threads(n_pairs):
    """Use one thread for a small fit: more wait for one another on a busy machine."""
    thread = threading.get_ident()
    if n_pairs > _MAX_SINGLE_THREAD or thread in _small_fits:
        yield
        return
    with _counts:
        # A new Python thread may have started with the 1 of another one's small fit.
        before = max(torch.get_num_threads(), *_small_fits.values(), 1)
        _small_fits[thread] = before
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _counts:
            _small_fits.pop(thread, None)
            torch.set_num_threads(before)
