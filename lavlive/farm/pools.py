"""Who draws: workers of a Ray cluster, or this process."""

from __future__ import annotations

import os
import socket
from collections import deque
from typing import Any, Protocol

from lavlive.errors import LavliveError, UsageError
from lavlive.farm.drawing import Drawer
from lavlive.farm.material import Group, Part, Recipe

_ADDRESS_SECONDS = 4.0
_MISSING = "A farm wants Ray: pip install 'lavlive[farm]'."


class Pool(Protocol):
    """Draws groups, some at a time, in any order."""

    workers: int

    def submit(self, group: Group) -> None:
        """Have a group drawn."""

    def next(self) -> Part | int:
        """A part that is done, or the number of a group whose worker died; waits for one.

        Raises:
            LavliveError: a worker cannot draw for a reason that would be the same everywhere.
        """

    def close(self) -> None:
        """Let the workers go."""


class OwnPool:
    """This process draws."""

    workers = 1

    def __init__(self, recipe: Recipe) -> None:
        self._drawer = Drawer(recipe)
        self._waiting: deque[Group] = deque()

    def submit(self, group: Group) -> None:
        self._waiting.append(group)

    def next(self) -> Part | int:
        return self._drawer.draw(self._waiting.popleft())

    def close(self) -> None:
        self._drawer.close()


class RayPool:
    """Actors of a Ray cluster, each with the model in its memory.

    Args:
        address: of a cluster that runs, ``auto`` for one on this machine; None starts one here for this film.

    Raises:
        UsageError: Ray is missing, or no cluster answers at the address.
    """

    def __init__(self, recipe: Recipe, workers: int | None, address: str | None) -> None:
        self._ray = _connected(address)
        resources = self._ray.cluster_resources()
        cards = int(resources.get("GPU", 0))
        cores = max(1, int(resources.get("CPU", 1)))
        self.workers = workers or cards or max(1, cores // 2)
        # A worker's own threads divide the cores among themselves.
        share = max(1, cores // self.workers) if not cards else 1
        on_card = cards > 0 and recipe.runner in ("auto", "cuda")
        self._make = self._ray.remote(num_cpus=share, num_gpus=1 if on_card else 0, max_restarts=0)(Drawer)
        self._recipe = self._ray.put(recipe)
        self._idle: deque[Any] = deque(self._actor() for _ in range(self.workers))
        self._waiting: deque[Group] = deque()
        self._busy: dict[Any, tuple[Any, int]] = {}

    def submit(self, group: Group) -> None:
        self._waiting.append(group)
        self._give()

    def next(self) -> Part | int:
        self._give()
        (done, *_), _ = self._ray.wait(list(self._busy), num_returns=1)
        actor, number = self._busy.pop(done)
        errors = self._ray.exceptions
        try:
            part: Part = self._ray.get(done)
        except (errors.RayActorError, errors.WorkerCrashedError, errors.ObjectLostError) as error:
            cause = getattr(error, "cause", None)
            if isinstance(cause, LavliveError):  # it could not begin
                raise cause from None
            self._idle.append(self._actor())
            return number
        except errors.RayTaskError as error:
            if isinstance(error.cause, LavliveError):
                raise error.cause from None
            raise
        self._idle.append(actor)
        return part

    def close(self) -> None:
        self._ray.shutdown()

    @property
    def actors(self) -> list[Any]:
        """Those at work, for tests that kill one."""
        return [actor for actor, _ in self._busy.values()]

    def _actor(self) -> Any:
        return self._make.remote(self._recipe)

    def _give(self) -> None:
        while self._waiting and self._idle:
            actor, group = self._idle.popleft(), self._waiting.popleft()
            self._busy[actor.draw.remote(group)] = actor, group.number


def _connected(address: str | None) -> Any:
    try:
        import ray
    except ImportError:
        raise UsageError(_MISSING) from None
    if address is not None:
        _check_answers(address)
    # Workers of a cluster of its own run this very lavlive.
    environment = {"PYTHONPATH": os.environ.get("PYTHONPATH", "")} if address is None else {}
    try:
        ray.init(
            address=address or "local",
            include_dashboard=False if address is None else None,
            log_to_driver=False,
            logging_level="ERROR",
            runtime_env={"env_vars": environment} if environment else None,
        )
    except Exception as error:  # Ray raises bare ones, as where a busy machine does not start it in 30 s
        told = (str(error).splitlines() or [type(error).__name__])[0][:200]
        if address is None:
            ray.shutdown()
            raise UsageError(f"Ray does not start on this machine; try again. It says: {told}") from None
        raise UsageError(f"No Ray cluster answers at {address}: {told}") from None
    return ray


def _check_answers(address: str) -> None:
    """See that somebody listens at HOST:PORT, for Ray itself tries for a minute and more.

    Raises:
        UsageError: nobody does, or it is no address.
    """
    if address == "auto":
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        raise UsageError(f"--ray takes HOST:PORT, such as 192.168.1.10:6379, or auto, not {address!r}.")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_ADDRESS_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise UsageError(f"No Ray cluster answers at {address}: {error}") from None
