"""Packages that the extras of this one install."""

from importlib import import_module


def import_optional(module, user, extra="plot"):
    """A module that a user needs, or an ImportError with the command that installs it."""
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{user} needs {module.split('.')[0]}. Install it with "
            f"pip install 'sklearn-task2box[{extra}]'."
        ) from error
