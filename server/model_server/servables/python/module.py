"""The ``model.py`` of a version folder as a module of its own, beside those of other versions."""

import importlib.util
import itertools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

FILE = "model.py"

_numbers = itertools.count(1)


class _Uncached(SourceFileLoader):
    """Reads the source each time: a cache beside it would be written into the model's storage."""

    def get_code(self, fullname: str) -> CodeType | None:
        return self.source_to_code(self.get_data(self.path), self.path)


def import_model(folder: Path) -> ModuleType:
    """Runs ``model.py``; files beside it are had by ``from . import``.

    Raises whatever the file raises, SystemExit too; then nothing of it is left.
    """
    name = f"_modelfleet_model_{next(_numbers)}"
    path = folder / FILE
    spec = importlib.util.spec_from_file_location(
        name, path, loader=_Uncached(name, str(path)), submodule_search_locations=[str(folder)]
    )
    assert isinstance(spec, ModuleSpec) and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    with _forgotten_on_failure(module):
        spec.loader.exec_module(module)
    return module


def forget(module: ModuleType) -> None:
    """Takes a module, and what it imported from its folder, out of the interpreter."""
    name = module.__name__
    for known in [known for known in sys.modules if known == name or known.startswith(f"{name}.")]:
        del sys.modules[known]


@contextmanager
def _forgotten_on_failure(module: ModuleType) -> Iterator[None]:
    try:
        yield
    except BaseException:
        forget(module)
        raise
