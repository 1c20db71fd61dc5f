"""The engine process: sound and the neural networks.

    python -m lavlive.engine.engine LINK     commands come on standard input, `StartEngine` first,
                                             events go to standard output; see `lavlive.link.messages`

    thread           owns                                                may not
    audio callback   the ring's write end, the xrun counters             allocate, lock, log, import
    latent worker    encoder, mapper, modulation, smoothing, their state touch the generator
    follow worker    on a node instead of it: nothing                    touch the generator
    picture worker   the generator, the picture slots' write end         wait for a latent
    model loader     a model until it is handed to the picture worker    touch the running one
    mixture loader   a mixture until it is handed to the picture worker  touch a runner that shows
    W of a class     nothing: it hands a model what it measured          touch a runner that shows
    dials            nothing: it hands a model its dials                 touch a runner that shows
    anchor pictures  a small runner of its own                           touch a runner that shows
    source switch    a source until it is handed to the latent worker    touch the running one
    main             commands, events, the heartbeat                     compute, open a device

The engine ends when its standard input closes, so it never outlives its stage. If a worker fails, the
process exits and the stage starts another: nothing here tries to repair a broken thread.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from typing import IO

from lavlive.engine.anchor_pictures import AnchorPictures
from lavlive.engine.dial_search import DialSearch
from lavlive.engine.failures import account, kind_of
from lavlive.engine.follow_worker import FollowWorker
from lavlive.engine.latent_worker import LatentWorker, TimedLatent
from lavlive.engine.loading import encoder_notes, load_first, load_model, load_path, open_log
from lavlive.engine.mailbox import Mailbox
from lavlive.engine.picture_worker import Model, PictureWorker
from lavlive.engine.source_switch import SourceSwitch
from lavlive.errors import LavliveError
from lavlive.gpu.pinned import pinned
from lavlive.latent.path import LatentPath
from lavlive.link.environment import prepare_process
from lavlive.link.memory import SharedBlock
from lavlive.link.messages import (
    ChangeSource,
    Command,
    DrawAnchors,
    EngineEvent,
    Failing,
    FailureKind,
    KeepMoment,
    LoadModel,
    Misunderstood,
    MixReady,
    MixRefused,
    MixWith,
    ModelLoading,
    ModelReady,
    ModelRefused,
    MomentKept,
    ProjectionRefused,
    Ready,
    Refused,
    StartEngine,
    UseKeyframes,
    encode,
    read_command,
)
from lavlive.link.settings import EngineSettings
from lavlive.parameters import ONE_HOP
from lavlive.resources import return_memory

HEARTBEAT_SECONDS = 0.1
STALLED_SECONDS = 1.5
"""A worker that has not come round for so long stops the heartbeat; the stage then restarts the engine."""
_SLOW_PICTURES = 4
"""A large model on a slow machine is no stall: so many of its pictures may pass besides."""
_LAST_RESORT_SECONDS = 12.0
"""How long an engine without a stage may take to end, before it ends whatever hangs."""

EXIT_USER_ERROR = 2
EXIT_WORKER_FAILED = 3
EXIT_HUNG = 4


class Engine:
    """The threads of one engine and the commands that steer them."""

    def __init__(
        self, link: SharedBlock, settings: EngineSettings, tell: Callable[[EngineEvent], None]
    ) -> None:
        self._link = link
        self._settings = settings
        self._tell = tell
        self._mailbox: Mailbox[TimedLatent] = Mailbox()
        self._loading = threading.Lock()
        self._mixing = threading.Lock()
        self._mixed_in: str | None = None
        self._mixed: tuple[Model | None, str | None] = (None, None)
        self._newest: Model
        self._source = None if settings.follows else SourceSwitch(settings.source, tell)
        self._dials = DialSearch(tell)
        self._anchors = AnchorPictures(tell, lambda: self.pictures.model)
        self._log = open_log(settings.log) if settings.log else None
        self._pinned = contextlib.ExitStack()
        self.latents: LatentWorker | FollowWorker
        self.pictures: PictureWorker

    def start(self) -> None:
        """Load everything, then let sound come.

        Raises:
            LavliveError: the source, the encoder or the model cannot be had.
        """
        began = time.perf_counter()
        settings = self._settings
        playing, model, notes = load_first(settings, self._pass_over)
        self._newest = model
        self._link.require_room(model.runner.height, model.runner.width)
        if model.runner.name == "cuda":  # which then writes pictures into the link itself
            slots = self._link.slots_for(model.runner.height, model.runner.width)
            self._pinned.enter_context(pinned(slots))
        path = None
        if self._source is not None:
            path = self._listen(model, self._source)
        else:
            self.latents = FollowWorker(self._link, self._mailbox, lambda: self.pictures.w_dim)
        self.pictures = PictureWorker(
            self._link,
            model,
            self._mailbox,
            lambda: self.latents.backlog,
            self._tell,
            self._settings.rate,
            hop_seconds=1.0 / path.rate if path is not None else ONE_HOP,
        )
        if self._source is not None:
            self._source.start(self._settings.resumed)
        self.latents.start()
        self.pictures.start()
        self._link.meter("engine.started")[0] = time.perf_counter()
        self._tell(
            Ready(
                source=self._source.source.name if self._source is not None else "a conductor",
                model=model.name,
                path=playing,
                model_hash=model.hash,
                runner=model.runner.name,
                resolution=model.runner.height,
                encoder=path.encoder.name if path is not None else "",
                untrained=tuple(
                    part.name
                    for part in (model, *(() if path is None else (path.encoder,)))
                    if not part.trained
                ),
                seconds=round(time.perf_counter() - began, 2),
                notes=(*notes, *(() if path is None else encoder_notes(path.encoder))),
            )
        )
        self._dials.begin(model)

    def _listen(self, model: Model, source: SourceSwitch) -> LatentPath:
        """Make latents of sound."""
        settings = self._settings
        device = "cpu" if settings.on_cpu else "auto"
        path = load_path(settings.encoder, settings.learned, model.runner.w_dim, device)
        path.go_on_without(lambda text: self._tell(ProjectionRefused(text)))
        worker = LatentWorker(
            self._link,
            path,
            source.source,
            self._mailbox,
            (self._log, model.space(0)) if self._log else None,
            space=lambda: self.pictures.space,
            width=lambda: self.pictures.w_dim,
        )
        source.on_change = worker.listen_to
        self.latents = worker
        return path

    def check(self) -> bool:
        """Pass on what the source has to tell and beat the heart; False once a worker has failed."""
        now = time.perf_counter()
        if self._source is not None:
            self._source.step()
        if self._source is not None and self._source.stuck(now):
            self._tell(Failing(FailureKind.DEVICE_AWAY, "a sound driver does not let go of its device"))
            return False
        for worker in (self.latents, self.pictures):
            if worker.failure is not None:
                self._tell(account(worker.failure))
                return False
        patience = STALLED_SECONDS + _SLOW_PICTURES * self.pictures.picture_seconds
        if now - self.latents.tick < STALLED_SECONDS and now - self.pictures.tick < patience:
            self._link.meter("engine.heartbeat")[0] = now
        return True

    def stop(self) -> None:
        """End the workers and let go of the device."""
        self._dials.stop()
        self._anchors.stop()
        self.latents.stop()
        self.pictures.stop()
        if self._source is not None:
            self._source.stop()
        self._pinned.close()
        if self._log:
            self._log.close()

    def command(self, command: Command | Misunderstood) -> None:
        """Carry out one command of the stage; what cannot be done is told, and changes nothing."""
        match command:
            case ChangeSource(source=source):
                if self._source is not None:
                    self._source.change(source)
            case LoadModel():
                threading.Thread(target=self._load, args=(command,), name="model loader", daemon=True).start()
            case KeepMoment():
                moment = self.pictures.moment
                if moment is not None:
                    self._tell(MomentKept(moment))
            case UseKeyframes(keyframes=keyframes):
                self.pictures.use_keyframes(keyframes)
            case MixWith(path=path):
                self._mixed_in = path
                threading.Thread(target=self._mix, name="mixture loader", daemon=True).start()
            case DrawAnchors():
                self._anchors.draw(command)
            case StartEngine():
                self._tell(Misunderstood("StartEngine came to an engine that runs."))
            case Misunderstood():
                self._tell(command)

    def _pass_over(self, path: str, reason: str) -> None:
        self._tell(ModelRefused(path, f"Passed over: {reason}"))

    def _load(self, command: LoadModel) -> None:
        path, fade = command.path, command.fade
        if not self._loading.acquire(blocking=False):
            self._tell(ModelRefused(None, "Another model is still loading."))
            return
        try:
            self._tell(ModelLoading(path))
            settings = self._settings
            model, notes = load_model(
                path,
                settings.runner,
                settings.device,
                command.aspect,
                settings.fill,
                beside_a_show=True,
                live=True,
            )
            try:
                self._link.require_room(model.runner.height, model.runner.width)
            except LavliveError:
                model.close()
                raise
            self._newest = model
            if self._mixed_in is not None:
                self._mix()
            self.pictures.swap(model, fade)
            self._tell(ModelReady(path, model.name, model.runner.name, tuple(notes)))
            self._dials.begin(model)
        except LavliveError as error:
            self._tell(ModelRefused(path, str(error), kind_of(error)))
        except Exception as error:  # whatever a library raises, the running model goes on
            self._tell(ModelRefused(path, f"{path}: {error}", kind_of(error)))
        finally:
            self._loading.release()
        # By then the old model is closed.
        time.sleep(fade + 1.0)
        return_memory()

    def _mix(self) -> None:
        """Mix the newest model with the one that was asked for last."""
        with self._mixing:
            model, wanted = self._newest, self._mixed_in
            # Of many that were asked for at once, as by a stuck key, all but the last are passed over.
            if self._mixed[0] is model and self._mixed[1] == wanted:
                return
            self._mixed = model, wanted
            if wanted is None or model.mix_with is None:
                model.mix(None)
                return
            try:
                mixture = model.mix_with(wanted)
            except Exception as error:  # whatever a library raises, the show goes on with one model
                model.mix(None)
                self._tell(MixRefused(str(error), kind_of(error)))
                return
            if model is not self._newest or wanted != self._mixed_in:  # somebody asked for another meanwhile
                mixture.close()
                return
            model.mix(mixture)
            self._tell(MixReady(mixture.note))


def _events_to(stream: IO[str]) -> Callable[[EngineEvent], None]:
    writing = threading.Lock()

    def tell(event: EngineEvent) -> None:
        line = encode(event)
        with writing, contextlib.suppress(OSError, ValueError):
            stream.write(line + "\n")
            stream.flush()

    return tell


def first_settings(line: str, tell: Callable[[EngineEvent], None]) -> EngineSettings | None:
    """What an engine's first line asks it to run; None, and the stage is told, where it is something else."""
    match read_command(line):
        case StartEngine(settings=settings):
            return settings
        case Misunderstood() as strange:
            tell(strange)
        case other:
            tell(Misunderstood(f"{type(other).__name__} came before StartEngine."))
    return None


Inbox = queue.SimpleQueue[Command | Misunderstood | None]


def commands_from(stream: IO[str], afterwards: Callable[[], None]) -> Inbox:
    """Commands as they come; None once the stage has closed the stream, and then `afterwards` is called."""
    commands: Inbox = queue.SimpleQueue()

    def read() -> None:
        for line in stream:
            if line.endswith("\n"):  # a stage that was killed may leave half a line
                commands.put(read_command(line))
        commands.put(None)
        afterwards()

    threading.Thread(target=read, name="commands", daemon=True).start()
    return commands


def _end_whatever_hangs() -> None:
    """A driver that never returns must not keep the device from the next engine."""
    time.sleep(_LAST_RESORT_SECONDS)
    os._exit(EXIT_HUNG)


def run(
    link: SharedBlock, settings: EngineSettings, commands: IO[str], tell: Callable[[EngineEvent], None]
) -> int:
    """Be an engine until the stage closes `commands`; returns the exit status."""
    # A callback that waits for Python's lock waits at most so long.
    sys.setswitchinterval(0.001)
    inbox = commands_from(commands, _end_whatever_hangs)
    try:
        engine = Engine(link, settings, tell)
        engine.start()
    except LavliveError as error:
        tell(Refused(kind_of(error), str(error)))
        return EXIT_USER_ERROR
    except Exception as error:  # of any library; the stage decides by the kind what to do without
        tell(account(error))
        return EXIT_WORKER_FAILED
    try:
        while engine.check():
            try:
                command = inbox.get(timeout=HEARTBEAT_SECONDS)
            except queue.Empty:
                continue
            if command is None:
                return 0
            engine.command(command)
        return EXIT_WORKER_FAILED
    finally:
        engine.stop()


def main() -> int:
    """Entry of the process; the stage starts it."""
    prepare_process()
    # Libraries that print must not write among the events.
    events = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    line = sys.stdin.readline()
    if not line:  # a spare that was not needed
        return 0
    tell = _events_to(events)
    settings = first_settings(line, tell)
    if settings is None:
        return EXIT_WORKER_FAILED
    if settings.on_cpu:
        # Asked for, or stepped down to because the graphics card failed: then nothing may touch it.
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    with SharedBlock.attach(sys.argv[1]) as link:
        return run(link, settings, sys.stdin, tell)


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    # Inference libraries keep threads that can hang an ordinary exit; everything of ours is closed.
    os._exit(status)
