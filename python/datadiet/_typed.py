"""A function that was typed into a notebook, as a file that another process imports.

The file has the function's source, that of functions and classes of the notebook that it uses, and imports of
what it uses of modules; other values that it uses lie beside it, pickled. What cannot be taken along is told by its
name.
"""

from __future__ import annotations

import ast
import builtins
import dis
import hashlib
import importlib
import linecache
import pickle
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from datadiet.exceptions import TrainerError

FILE = "notebook.py"
_VALUES = "notebook.pickle"
_NEXT = (
    "make it within the function, or put everything into a file (in a notebook %%writefile train.py) and"
    " import it from there"
)


class Typed:
    """The text of such a file, and the values beside it.

    Parameters
    ----------
    function, evaluate
        The training function, and the one that evaluates weights, if any.
    declared
        What was declared of the trainer, for `datadiet.trainer`.

    Raises
    ------
    TrainerError
        No source (an interpreter keeps none); something that the function uses and that cannot be taken along.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        evaluate: Callable[..., Any] | None,
        declared: Mapping[str, Any],
    ) -> None:
        self._imports: dict[str, str] = {}
        self._values: dict[str, Any] = {}
        self._definitions: dict[str, str] = {}
        self._function = function.__name__
        self._globals: dict[str, Any] = function.__globals__
        for one in filter(None, (function, evaluate)):
            self._define(one.__name__, one, without_decorators=True)
        self._values["_declared"] = dict(declared)
        self.values = self._pickled()
        self.text = self._text(evaluate).encode("utf-8")

    @property
    def digest(self) -> str:
        """SHA-256 of the text, in which the values have theirs."""
        return hashlib.sha256(self.text).hexdigest()

    def write(self, folder: Path) -> Path:
        """Writes both to a folder; gives the path of the file."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _VALUES).write_bytes(self.values)
        file = folder / FILE
        file.write_bytes(self.text)
        return file.resolve()

    def _text(self, evaluate: Callable[..., Any] | None) -> str:
        name = self._function
        lines = [
            f'"""{name} of a notebook, and what it uses: written by datadiet, for its trainings."""',
            "from __future__ import annotations",
            "import pickle as _pickle",
            "from pathlib import Path as _Path",
            "import datadiet as _datadiet",
            *self._imports.values(),
            f"# SHA-256 of the values: {hashlib.sha256(self.values).hexdigest()}",
            f'globals().update(_pickle.loads(_Path(__file__).with_name("{_VALUES}").read_bytes()))',
            *self._definitions.values(),
            f"{name} = _datadiet.trainer(**_declared)({name})",
        ]
        if evaluate is not None:
            lines.append(f"{name}.evaluation({evaluate.__name__})")
        return "\n".join(lines) + "\n"

    def _define(self, name: str, what: Any, *, without_decorators: bool = False) -> None:
        """Takes a function or class of the notebook along, after what it uses."""
        if name in self._definitions:
            return
        node = _node(what)
        if node is None:
            raise TrainerError(
                f"{name} was typed into an interpreter, which keeps no source, and each training is a process"
                " of its own that imports it: put it into a file (in a notebook %%writefile train.py) and"
                " import it from there"
            )
        if without_decorators:
            node.decorator_list = []
        self._definitions[name] = ""  # It may use itself.
        for used in dict.fromkeys([*_evaluated(node), *_loaded(what)]):
            self._take(used, name)
        # Where it comes in the file, what it uses has been defined.
        del self._definitions[name]
        self._definitions[name] = ast.unparse(node)

    def _take(self, name: str, of: str) -> None:
        if name in self._imports or name in self._values or name in self._definitions:
            return
        if name not in self._globals:
            return  # Of Python itself, or a mistake that shows when it is called.
        value = self._globals[name]
        if isinstance(value, types.ModuleType):
            self._imports[name] = f"import {value.__name__} as {name}"
        elif isinstance(value, (types.FunctionType, type)) and value.__module__ == "__main__":
            self._define(name, value)
            if value.__name__ != name:
                self._definitions[f"{name} ="] = f"{name} = {value.__name__}"
        elif (line := _imported(name, value)) is not None:
            self._imports[name] = line
        elif hasattr(value, "evaluation") and hasattr(value, "function"):
            return  # The trainer itself.
        else:
            try:
                content = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
            except Exception as error:
                raise _untakeable(of, name, value, f"{type(error).__name__}: {error}") from error
            if b"__main__" in content:
                raise _untakeable(of, name, value, "it is of a class of the notebook")
            self._values[name] = value

    def _pickled(self) -> bytes:
        return pickle.dumps(self._values, protocol=pickle.HIGHEST_PROTOCOL)


def _untakeable(of: str, name: str, value: Any, why: str) -> TrainerError:
    return TrainerError(
        f"{of} uses {name}, a {type(value).__name__}, and each training is a process of its own, to which it"
        f" cannot be taken ({why}): {_NEXT}"
    )


def _imported(name: str, value: Any) -> str | None:
    """The line that imports a value which a module has by its own name."""
    module, own = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if (
        not isinstance(module, str)
        or not isinstance(own, str)
        or "." in own
        or module == "__main__"
    ):
        return None
    try:
        found = getattr(importlib.import_module(module), own, None)
    except ImportError:
        return None
    return f"from {module} import {own} as {name}" if found is value else None


def _codes(what: Any) -> Iterator[types.CodeType]:
    """The code of a function, or of the methods of a class."""
    if isinstance(what, type):
        for member in vars(what).values():
            inner = getattr(member, "__func__", getattr(member, "fget", member))
            if isinstance(inner, types.FunctionType):
                yield inner.__code__
    elif isinstance(what, types.FunctionType):
        yield what.__code__


def _node(what: Any) -> ast.FunctionDef | ast.ClassDef | None:
    """Its definition in the cell that it was typed into."""
    for code in _codes(what):
        text = "".join(linecache.getlines(code.co_filename))
        try:
            tree = ast.parse(text)
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            if not isinstance(node, (ast.FunctionDef, ast.ClassDef)) or node.name != what.__name__:
                continue
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            if first <= code.co_firstlineno <= (node.end_lineno or node.lineno):
                return node
    return None


def _evaluated(node: ast.FunctionDef | ast.ClassDef) -> Iterator[str]:
    """Names that the definition itself takes: decorators, bases, defaults, what stands in a class."""
    parts: list[ast.AST] = list(node.decorator_list)
    if isinstance(node, ast.ClassDef):
        parts += [*node.bases, *node.keywords]
        for inner in node.body:
            if isinstance(inner, (ast.FunctionDef, ast.ClassDef)):
                yield from _evaluated(inner)
            else:
                parts.append(inner)
    else:
        parts += [*node.args.defaults, *(one for one in node.args.kw_defaults if one is not None)]
    for part in parts:
        for name in ast.walk(part):
            if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Load):
                if not hasattr(builtins, name.id):
                    yield name.id


def _loaded(what: Any) -> Iterator[str]:
    """Global names that its code takes when it runs."""
    waiting = list(_codes(what))
    while waiting:
        code = waiting.pop()
        waiting += [one for one in code.co_consts if isinstance(one, types.CodeType)]
        for instruction in dis.get_instructions(code):
            if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                yield instruction.argval
