"""Which library speaks to which remote file system, and what its failures mean.

Object stores are spoken to by obstore, all others by what fsspec finds for their scheme. Both take
credentials from the environment, or from the identity that the platform gives to the process.
"""

import errno
import re
import threading
from datetime import timedelta
from importlib.util import find_spec
from typing import Any

from model_server.core.errors import Code, ServingError

# Clients may name base paths in HandleReloadConfigRequest, so fsspec's wrappers (zip://x::http://y,
# reference://) and web servers are out of bounds.
_OTHERS = frozenset({"hdfs", "hf", "memory", "oci", "oss", "sftp", "smb", "ssh", "webhdfs"})
_OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl"})
# A poll must not wait for minutes; a load is tried again anyway.
_PATIENCE = {"retry_config": {"max_retries": 3, "retry_timeout": timedelta(seconds=20)}}
_EXTRA = "pip install 'modelfleet[object-storage]'"
_LONGEST = 500
# obstore's, by name, because it may not be installed. Credentials come and go: worth another try.
_DENIED = frozenset({"PermissionDeniedError", "UnauthenticatedError"})
_STATUS = re.compile(r"non-2xx status code: (\d+)")
_BY_STATUS = {
    "401": Code.PERMISSION_DENIED,
    "403": Code.PERMISSION_DENIED,
    "404": Code.NOT_FOUND,
}

_registering = threading.Lock()
_registered: set[str] = set()


def file_system(url: str) -> tuple[Any, str]:
    """An fsspec file system and the path in it. Raises ServingError, FAILED_PRECONDITION."""
    scheme = url.partition("://")[0].lower()
    if scheme not in _OBJECT_STORES | _OTHERS or "::" in url:
        known = ", ".join(sorted(_OBJECT_STORES | _OTHERS))
        raise _unusable(f"it is in no file system that models are read from: {known}")
    if find_spec("fsspec") is None:
        raise _unusable(f"reading {scheme}:// needs more packages: {_EXTRA}")
    import fsspec

    options: dict[str, Any] = {}
    if scheme in _OBJECT_STORES and find_spec("obstore") is not None:
        _register(scheme)
        options = _PATIENCE
    try:
        opened, path = fsspec.url_to_fs(url, **options)
    except (ImportError, ValueError) as error:
        raise _unusable(f"{scheme}:// cannot be read here: {error}") from error
    # What lists from memory would never see a new version.
    opened.invalidate_cache()
    return opened, path


def _register(scheme: str) -> None:
    from obstore import fsspec as object_stores

    with _registering:
        if scheme not in _registered:
            object_stores.register(scheme)
            _registered.add(scheme)


def explained(error: Exception) -> ServingError:
    """The canonical code of a file system's failure, and its reason without traces."""
    if isinstance(error, ServingError):
        return error
    # obstore adds its own structures after an empty line.
    reason = " ".join(str(error).partition("\n\nDebug source")[0].split())
    return ServingError(_code(error, reason), reason[:_LONGEST] or type(error).__name__)


def _code(error: Exception, reason: str) -> Code:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Code.RESOURCE_EXHAUSTED
    if isinstance(error, FileNotFoundError):
        return Code.NOT_FOUND
    if isinstance(error, PermissionError) or type(error).__name__ in _DENIED:
        return Code.PERMISSION_DENIED
    # What obstore says of a listing that fails, whatever the reason.
    status = _STATUS.search(reason)
    return _BY_STATUS.get(status[1], Code.UNAVAILABLE) if status else Code.UNAVAILABLE


def _unusable(message: str) -> ServingError:
    return ServingError(Code.FAILED_PRECONDITION, message)
