"""Objects that a forked child inherits and must not destroy.

A thread pool waits, when it is destroyed, for threads that exist in the parent alone: the child
would hang when it drops an engine. So what has threads is kept there for ever.
"""

from __future__ import annotations

import ctypes
import os
import weakref
from typing import Any

_kept: weakref.WeakSet[Any] = weakref.WeakSet()


def never_destroy_in_children(owner: Any) -> None:
    """Keep `owner`, which has threads, in every process that is forked from this one."""
    _kept.add(owner)


def _keep_all() -> None:
    for owner in list(_kept):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(owner))


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_keep_all)
