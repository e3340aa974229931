"""A CUDA device that is not there: mistakes of devices show without one.

Inside of ``PretendedCuda``, tensors that are moved to "cuda" are copied, and their memory
is marked. They say that their device is "cuda:0", and as there, an operation on tensors of
two devices is an error, and so is an array of one that is not on the CPU.
"""

import torch
from torch.overrides import TorchFunctionMode, resolve_name

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)
# Of tensors of two devices.
_ALLOWED = {"copy_", "__set__", "_has_compatible_shallow_copy_type"}


class PretendedCuda(TorchFunctionMode):
    """Marks tensors by the device that they are pretended to be on."""

    def __enter__(self):
        self.from_numpy = torch.from_numpy  # a mode does not hear of it
        torch.from_numpy = self._from_numpy
        return super().__enter__()

    def __exit__(self, *about):
        torch.from_numpy = self.from_numpy
        return super().__exit__(*about)

    def _from_numpy(self, array):
        tensor = self.from_numpy(array)
        _mark(tensor, CPU)
        return tensor

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        name = resolve_name(func) or getattr(func, "__name__", "")
        short = name.rsplit(".", 1)[-1]
        own = args[0] if args and isinstance(args[0], torch.Tensor) else None
        if name == "torch.Tensor.device.__get__":
            return _device(own) or CPU
        if name == "torch.Tensor.is_cuda.__get__":
            return _device(own) == CUDA
        if own is not None and short in ("to", "cpu", "cuda"):
            return _moved(func, short, args, kwargs)
        asked = kwargs.get("device")
        if asked is not None:
            kwargs["device"] = CPU
        devices = {_device(one) for one in _tensors((args, kwargs)) if one.ndim}
        devices.discard(None)
        if short in ("numpy", "__array__") and CUDA in devices:
            raise TypeError("can't convert a tensor on cuda to numpy; use Tensor.cpu()")
        if len(devices) > 1 and short not in _ALLOWED:
            raise RuntimeError(f"{name}: tensors are on {sorted(map(str, devices))}")
        found = func(*args, **kwargs)
        if asked is not None:
            device = CUDA if torch.device(asked).type == "cuda" else CPU
        elif devices:
            device = devices.pop()
        else:  # of numbers alone
            device = next(map(_device, _tensors((args, kwargs))), CPU)
        for one in _tensors(found):
            if _device(one) is None:
                _mark(one, device)
        return found


def _moved(func, short, args, kwargs):
    own, *others = args
    device = {"to": _device(own), "cpu": CPU, "cuda": CUDA}[short]
    for one in (*others, kwargs.get("device")) if short == "to" else ():
        if isinstance(one, torch.Tensor):
            device = _device(one)
        elif isinstance(one, str | torch.device):
            device = CUDA if torch.device(one).type == "cuda" else CPU
    found = own
    if short == "to":
        if "device" in kwargs:
            kwargs["device"] = CPU
        others = [CPU if isinstance(a, str | torch.device) else a for a in others]
        found = func(own, *others, **kwargs)
    if found.untyped_storage() is own.untyped_storage() and device != _device(own):
        found = found.clone()
    _mark(found, device)
    return found


def _device(tensor):
    return getattr(tensor.untyped_storage(), "pretended", None)


def _mark(tensor, device):
    tensor.untyped_storage().pretended = device


def _tensors(value):
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _tensors(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _tensors(one)
