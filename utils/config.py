"""The constants at the top of a script as a settings object; `--name=value` changes one for a single run.

The constants are the annotated assignments at module level (`fp16: bool = True  # why`), one per line. Their order,
types and comments are read from the script itself, so they are written only once.
"""

from __future__ import annotations

import ast
import math
import signal
import sys
import traceback
import types
from collections.abc import Callable, Mapping, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from utils.utils import DEBUG, UserError


# The most that a constant of that name may be, in any script; LARGEST for all others. Beyond, machines and libraries
# fail in their own ways. What else a constant has to be, the script says that uses it.
MOST = {
    "num_workers": 256, "input_shape": 16_384, "predict_shape": 16_384, "height": 100_000, "sheet_size": 100_000,
    "freeze_batch_size": 65_536, "unfreeze_batch_size": 65_536, "batch_sizes": 65_536, "object_gap": 1_001,
    "camera": 1_000, "overlays": 1_000, "num_samples": 10_000, "video_fps": 1_000,
}
LARGEST = 2**53  # whole numbers up to here are exact as floats


class Settings(types.SimpleNamespace):
    """The constants of one run, one attribute each: `settings.init_lr`."""

    def to_dict(self) -> dict[str, Any]:
        """Name -> value, in plain Python types and the script's order, for checkpoints and logs."""
        return dict(vars(self))


def constants(source: str) -> dict[str, tuple[int, int]]:
    """Name -> (first, last) line number of each annotated module-level assignment in Python `source`."""
    return {
        node.target.id: (node.lineno, node.end_lineno)
        for node in ast.parse(source).body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }


def block(source: str) -> str:
    """The lines of `source` from the first heading above the constants to the last constant, for `--help`."""
    lines, spans = source.splitlines(), list(constants(source).values())
    first, last = spans[0][0] - 1, spans[-1][1]
    while first > 0 and lines[first - 1].startswith("#"):
        first -= 1
    return "\n".join(lines[first:last])


def fit(value: Any, hint: Any) -> Any:
    """`value` as the type `hint`. If the hint asks for it, a list becomes a tuple and a whole number a float.

    Allowed hints are bool, int, float, str, None, Literal, `A | B`, tuple[A, B], tuple[A, ...] and dict[A, B]. Raises
    ValueError when the value does not fit.
    """
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        for option in args:
            if type(value) is option and (option is not float or math.isfinite(value)):  # 4 stays int in `float | int`
                return value
        for option in args:
            try:
                return fit(value, option)
            except ValueError:
                continue
    elif origin is Literal:
        for option in args:
            if value == option and type(value) is type(option):
                return value
    elif origin is tuple and isinstance(value, (list, tuple)):
        hints = [args[0]] * len(value) if args[-1] is Ellipsis else list(args)
        if len(hints) == len(value):
            return tuple(fit(item, item_hint) for item, item_hint in zip(value, hints))
    elif origin is dict and isinstance(value, dict):
        return {fit(key, args[0]): fit(item, args[1]) for key, item in value.items()}
    elif hint is float and type(value) is int:
        return float(value)
    elif hint in (None, type(None)):
        if value is None:
            return None
    elif isinstance(hint, type) and type(value) is hint and (hint is not float or math.isfinite(value)):
        return value
    raise ValueError(f"{value!r} is not {describe(hint)}")


def parse(text: str, hint: Any) -> Any:
    """The value of `text`, the part after `=` on a command line, as the type `hint`.

    It understands `true`, `false`, `none`, numbers, bare strings, and tuples with or without brackets. Raises
    ValueError when the text does not fit.
    """
    candidates: list[Any] = []
    if text.lower() in ("true", "false", "none"):
        candidates.append({"true": True, "false": False, "none": None}[text.lower()])
    try:
        literal = ast.literal_eval(text)
        candidates += [literal, (literal,)]  # --batch_sizes=4 is a list with one item
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        pass  # not a Python literal: the lines below try it as a string and as words with commas
    candidates.append(text)
    candidates.append(tuple(part.strip() for part in text.split(",")))
    for candidate in candidates:
        try:
            return fit(candidate, hint)
        except ValueError:
            continue
    raise ValueError(f"{text!r} is not {describe(hint)}")


def describe(hint: Any) -> str:
    """A type hint in words for a message: `one of "cos", "step"`, `int, int`, `true or false`."""
    origin, args = get_origin(hint), get_args(hint)
    if hint is bool:
        return "true or false"
    if hint is int:
        return "a whole number"
    if hint is float:
        return "a number"
    if hint is str:
        return "a text"
    if hint in (None, type(None)):
        return "None"
    if origin is Literal:
        return "one of " + ", ".join(str(option) for option in args)
    if origin in (Union, types.UnionType):
        return " or ".join(describe(option) for option in args)
    if origin is dict:
        return f'a dictionary {{"name": {describe(args[1])}, ...}}'
    if origin is tuple and args[-1] is Ellipsis:
        return f"a list with {describe(args[0])} for each item"
    if origin is tuple:
        return f"({', '.join(describe(item) for item in args)})"
    return getattr(hint, "__name__", str(hint))


def read(script: ModuleType | str | Path, **changes: Any) -> Settings:
    """The settings of a script with `changes` applied.

    Args:
        script: an imported module, or the path of its file.
        changes: name=value of constants with another value.

    Raises:
        UserError: a name is not a constant of the script, or a value does not fit. Its exit status is 2.
    """
    if not isinstance(script, ModuleType):
        spec = spec_from_file_location(Path(script).stem, script)
        script = module_from_spec(spec)
        spec.loader.exec_module(script)
    names = constants(Path(script.__file__).read_text(encoding="utf-8"))
    hints = get_type_hints(script)
    values = {name: getattr(script, name) for name in names}
    for name, value in {**values, **changes}.items():
        if name not in names:
            raise UserError(_describe_unknown(name, Path(script.__file__), names), 2)
        try:
            values[name] = fit(value, hints[name])
        except ValueError:
            raise UserError(f"{name} is {value!r}: it has to be {describe(hints[name])}.", 2) from None
        require_in_range(name, values[name])
    return Settings(**values)


def require_in_range(name: str, value: Any) -> None:
    """Raises UserError for a number of the constant `name`, or one within its tuple, beyond what MOST allows."""
    most = MOST.get(name, LARGEST)
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, (int, float)) and abs(number) > most:
            raise UserError(f"{name} is {value}: {number} is out of range, it has to be at most {most}.", 2)


def from_command_line(module: ModuleType, arguments: Sequence[str]) -> Settings:
    """The settings of `module` with each `--name=value` of `arguments` applied. Raises UserError like `read`."""
    path = Path(module.__file__)
    names = constants(path.read_text(encoding="utf-8"))
    hints = get_type_hints(module)
    changes: dict[str, Any] = {}
    for argument in arguments:
        name, equals, text = argument.removeprefix("--").partition("=")
        name = name.replace("-", "_")
        if not argument.startswith("--") or name not in names:
            raise UserError(_describe_unknown(argument, path, names), 2)
        if not equals:
            raise UserError(f"--{name} needs a value: --{name}={getattr(module, name)!r} is the script's own.", 2)
        try:
            changes[name] = parse(text, hints[name])
        except ValueError:
            raise UserError(f"--{name}={text}: {name} has to be {describe(hints[name])}.", 2) from None
    return read(module, **changes)


def stop(*_: Any) -> None:
    """Ends the program as Ctrl-C does, so that temporary files go with it: a handler of SIGTERM."""
    sys.exit(143)


def run(main: Callable[[Settings], int | None]) -> None:
    """Runs a script's `main(settings)` with the command line's settings and ends the program.

    The exit status is what `main` returns (None means 0), 2 for settings that do not fit, 130 for Ctrl-C, or 143 when
    the system ends the program (SIGTERM). `--debug=true` also prints where an error came from. Any
    UserError or file error of the system (full disk, no permission) is printed as one sentence, without a traceback.
    """
    module = sys.modules[main.__module__]
    arguments = [argument for argument in sys.argv[1:] if argument != DEBUG]
    signal.signal(signal.SIGTERM, stop)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a console that cannot show a file name must not fail
    if {"--help", "-h"} & set(arguments):
        print(f"{(module.__doc__ or '').strip()}\n\nAny of these can be given for one run as --name=value. With "
              f"{DEBUG}, errors also say where they came from.\n")
        print(block(Path(module.__file__).read_text(encoding="utf-8")))
        sys.exit(0)
    try:
        settings = from_command_line(module, arguments)
        status = main(settings)
    except UserError as error:
        if DEBUG in sys.argv:
            traceback.print_exception(error)
        print(error, file=sys.stderr)
        status = error.exit_status
    except OSError as error:
        print(f"{error}: check the name, the permissions of the folder and the free space.", file=sys.stderr)
        status = 1
    except KeyboardInterrupt:
        print("Stopped by Ctrl-C.", file=sys.stderr)
        status = 130
    sys.exit(status or 0)


def _describe_unknown(argument: str, path: Path, names: Mapping[str, Any]) -> str:
    """The error message for an argument that is no constant of the script."""
    return f"{argument} is not a constant of {path.name}: give --name=value with one of {', '.join(names)}."
