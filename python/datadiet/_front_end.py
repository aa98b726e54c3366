"""What shows the output of this process: a terminal, or which kind of notebook.

A process cannot ask the page that shows its output where it is; it goes by what starts it leaves in its environment.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Kind: TypeAlias = Literal["terminal", "jupyter", "vscode", "colab"]


@dataclass(frozen=True)
class FrontEnd:
    """What shows the output."""

    kind: Kind
    frames: tuple[str, ...] = ()
    """Whose pages may show another in a frame, as ``datadiet explore --allow-frame`` takes them."""
    far: str | None = None
    """Why its page does not reach this machine by ``localhost``; None where it does, as far as is known."""


# A local Jupyter, whatever its port.
_LOCAL = ("http://localhost:*", "http://127.0.0.1:*")
# Of Visual Studio Code on this machine, and in a browser.
_EDITOR = ("vscode-webview:", "https://*.vscode-cdn.net", "https://vscode.dev")
_COLAB = (
    "https://colab.research.google.com",
    "https://*.googleusercontent.com",
    "https://*.colab.dev",
)

_FAR = {
    "SSH_CONNECTION": "it was started over SSH",
    "SSH_CLIENT": "it was started over SSH",
    "JUPYTERHUB_SERVICE_PREFIX": "it is one of a JupyterHub",
    "KUBERNETES_SERVICE_HOST": "it is in a cluster",
    "CODESPACES": "it is a codespace",
}


def front_end(environment: Mapping[str, str] | None = None) -> FrontEnd:
    """What shows the output of this process."""
    known = os.environ if environment is None else environment
    if "google.colab" in sys.modules:
        return FrontEnd("colab", _COLAB)
    if not _is_kernel():
        return FrontEnd("terminal")
    far = next((why for name, why in _FAR.items() if known.get(name)), None)
    if known.get("VSCODE_PID") or known.get("VSCODE_CWD") or known.get("VSCODE_IPC_HOOK"):
        return FrontEnd("vscode", (*_EDITOR, *_LOCAL), far)
    return FrontEnd("jupyter", _LOCAL, far)


def _is_kernel() -> bool:
    """Whether this is the kernel of a notebook, which has an IPython that talks to it."""
    interactive: Any = sys.modules.get("IPython")
    shell = interactive.get_ipython() if interactive is not None else None
    return shell is not None and getattr(shell, "kernel", None) is not None


def show(html: str, plain: str) -> None:
    """Puts HTML into the output of the cell that runs; front ends without HTML show the plain text."""
    from IPython.display import display

    display({"text/html": html, "text/plain": plain}, raw=True)  # type: ignore[no-untyped-call]
