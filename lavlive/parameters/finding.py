"""Finding a parameter by its name: in the table, or among what is loaded at run time.

What is loaded belongs to one show, rendering or measurement, which enters `joined` and so says where it
begins and ends. It is kept in a context variable: a second show in another thread has its own, and a thread
that a show starts reads it where it runs in a copy of the show's context.
"""

from __future__ import annotations

import contextlib
import difflib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar, copy_context
from typing import Protocol

from lavlive.errors import ParameterError
from lavlive.parameters.parameter import Parameter, ParameterKind, Value
from lavlive.parameters.table import INDEX, LATENT_HEADS, NAMES, TABLE

LOADED_GROUPS = ("gen", "fx1", "fx2", "fx3", "fx4", "fx5", "fx6")
"""First parts of the names of what is loaded at run time: the generator's slot and the effects' slots."""

TRANSITION, DISSOLVE = "show.transition", "dissolve"
"""Which transition is drawn, and the choice that draws none."""
LOADED_NAMES = (TRANSITION,)
"""What is loaded at run time besides: the choice among transitions."""


class LoadedParameters(Protocol):
    """Parameters of the stage that join the table at run time: the slots, and the inputs of their shaders.

    They never reach the engine. Their names begin with one of `LOADED_GROUPS`.
    """

    def find(self, name: str) -> Parameter | None:
        """The parameter of that name, chosen now or not; None if nothing that was read has it."""

    def present(self, value_of: Callable[[str], object]) -> list[Parameter]:
        """Those that mean something now, in the order in which they are shown.

        Args:
            value_of: gives the present value of a slot's own parameter, such as ``fx1.shader``.
        """


_joined: ContextVar[LoadedParameters | None] = ContextVar("parameters loaded at run time", default=None)


@contextlib.contextmanager
def joined(loaded: LoadedParameters | None) -> Iterator[None]:
    """Let what is loaded at run time stand beside the table until the end; None: nothing stands there."""
    token = _joined.set(loaded)
    try:
        yield
    finally:
        # One that is collected instead of left is no longer in its context, which ended with it.
        with contextlib.suppress(ValueError):
            _joined.reset(token)


def thread_here(run: Callable[[], object], name: str) -> threading.Thread:
    """A thread, not begun, that knows what stands beside the table here; it ends with the program."""
    return threading.Thread(target=copy_context().run, args=(run,), name=name, daemon=True)


def is_loaded(name: str) -> bool:
    """Whether a name belongs to what is loaded at run time."""
    return name in LOADED_NAMES or name.partition(".")[0] in LOADED_GROUPS


def can_be_driven(name: str) -> bool:
    """Whether sound may move a parameter: an input of a shader, or what hands do in W."""
    return is_loaded(name) or name.partition(".")[0] in LATENT_HEADS


def is_event(parameter: Parameter) -> bool:
    """Whether it is an input of a shader that is a button, down for one picture."""
    of_shader = is_loaded(parameter.name) and parameter.name.count(".") > 1
    return of_shader and parameter.kind is ParameterKind.SWITCH and not parameter.saved


def loaded_parameters(value_of: Callable[[str], object]) -> list[Parameter]:
    """What is loaded now, as `LoadedParameters.present`; nothing where nothing has joined."""
    loaded = _joined.get()
    return loaded.present(value_of) if loaded is not None else []


def find(name: str) -> Parameter:
    """The parameter of that exact name.

    Raises:
        ParameterError: no such parameter; the message names the nearest.
    """
    if name in INDEX:
        return TABLE[INDEX[name]]
    loaded = _joined.get()
    if loaded is not None and (found := loaded.find(name)) is not None:
        return found
    if is_loaded(name):
        raise ParameterError(f"There is no parameter {name!r}: no shader here has it.")
    near = difflib.get_close_matches(name, NAMES, n=1, cutoff=0.0)
    raise ParameterError(f"There is no parameter {name!r}; did you mean {near[0]}?")


def known(name: str) -> Parameter | None:
    """As `find`, but None where there is no such parameter: a shader's file may change or go at any time."""
    try:
        return find(name)
    except ParameterError:
        return None


def checked_settings(settings: Mapping[str, object]) -> dict[str, Value]:
    """The values as their parameters take them.

    Raises:
        ParameterError: an unknown name, or a value out of range.
    """
    return {name: find(name).check(value) for name, value in settings.items()}
