"""Public names whose modules are imported when the names are first used."""

import pkgutil
import sys
from importlib import import_module


def lazy_names(package, modules):
    """``__getattr__`` and ``__dir__`` of a package, for its public names and modules.

    ``modules`` maps modules below the package to the names that they define.
    """
    path = sys.modules[package].__path__
    modules_below = {module.name for module in pkgutil.iter_modules(path)}
    homes = {name: module for module, names in modules.items() for name in names}

    def load(name):
        if name in homes:
            value = getattr(import_module(f"{package}.{homes[name]}"), name)
            setattr(sys.modules[package], name, value)
            return value
        if name in modules_below:
            return import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def names():
        return sorted({*vars(sys.modules[package]), *homes, *modules_below})

    return load, names
