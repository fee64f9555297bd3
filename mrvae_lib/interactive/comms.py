"""Widgets that answer while a cell is running: a kernel reads their messages between cells only.

In JupyterLab 4.4 and newer on ipykernel 7, widgets talk to a thread of their own and need none of this. Elsewhere
(Colab, VS Code, older notebooks) their messages wait in the kernel's queue, behind the running cell. We take them from
there and leave everything else, the next cells above all, in its order. What a kernel does not offer is not used: the
button then waits for the end of the cell, and the notebook's own interrupt works as ever.
"""

from __future__ import annotations

import threading
from typing import Any

import zmq
from IPython.core.getipython import get_ipython


def running_kernel() -> Any | None:
    """The kernel this process is, or None outside a notebook."""
    return getattr(get_ipython(), "kernel", None)


def answer_widgets() -> None:
    """Handle the widget messages that have arrived; call it now and then from a long-running cell."""
    kernel = running_kernel()
    if kernel is None or threading.current_thread() is not threading.main_thread():
        return
    if hasattr(kernel, "msg_queue"):  # ipykernel 6
        kernel.shell_stream.flush(zmq.POLLIN)  # moves what has arrived into the queue
        entries = [kernel.msg_queue.get_nowait() for _ in range(kernel.msg_queue.qsize())]
        for entry in entries:
            if not _handled(kernel, entry[2][0]):
                kernel.msg_queue.put_nowait(entry)
    elif (stream := _main_stream(kernel)) is not None:  # ipykernel 7
        while stream.socket.poll(0):
            message = stream.socket.recv_multipart(copy=False)
            if not _handled(kernel, message):
                # the way that the stream itself would have gone: a shorter one would overtake cells that took it before
                stream._run_callback(stream._recv_callback, message)


def _handled(kernel: Any, message: list[Any]) -> bool:
    """Handle a message of a widget; False, and untouched, if it is another one."""
    if len(message) < 2:
        return False
    session = kernel.session
    idents, parts = session.feed_identities(message, copy=False)
    kind = session.deserialize(parts, content=False, copy=False)["header"]["msg_type"]
    if kind not in ("comm_msg", "comm_close"):
        return False
    kernel.shell_handlers[kind](None, idents, session.deserialize(parts, copy=False))
    return True


def _main_stream(kernel: Any) -> Any | None:
    """Where the kernel's reading thread leaves messages for the main thread."""
    manager = getattr(getattr(kernel, "shell_channel_thread", None), "manager", None)
    return getattr(getattr(manager, "_shell_channel_to_main", None), "to_stream", None)
