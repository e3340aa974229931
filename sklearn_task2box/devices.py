"""Where a fit computes, and how precisely."""

import torch


def resolve_device(name):
    """A device that is there.

    Parameters
    ----------
    name : str or torch.device
        "auto" is "cuda" where there is one, and "cpu" elsewhere.

    Returns
    -------
    device : str

    Raises
    ------
    ValueError
        If torch knows none of that name, or can't use it here.
    """
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
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device={name!r} was asked for, but torch sees "
            f"{torch.cuda.device_count()} CUDA devices. Use device='auto', which "
            "takes the CPU then, or install a build of torch with CUDA."
        )
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"device={name!r} can't be used here: {str(error).splitlines()[0]} Use "
            "device='auto'."
        ) from None
    return str(device)


def is_mixed(precision, device):
    """Whether hidden layers work in bfloat16.

    Parameters
    ----------
    precision : {"auto", "float32", "bfloat16"}
        "auto" is bfloat16 on CUDA devices that compute in it.
    device : str
    """
    if precision != "auto":
        return precision == "bfloat16"
    # From compute capability 8.0 on; older ones only imitate bfloat16.
    return device.startswith("cuda") and torch.cuda.get_device_capability(device) >= (8,)
