"""Every error that a user of lavlive can meet.

    LavliveError
    ├── UsageError            the command line or a value on it
    │   └── ParameterError    an unknown parameter or a value out of its range
    ├── SourceError           a device, loopback or track that cannot be opened
    ├── EncoderError          weights of the encoder
    ├── CheckpointError       a generator file that cannot be used
    ├── RunnerError           a device or inference library that was asked for and is not there
    │   └── ModelDoesNotFitError  a model that needs more than the device has
    ├── PresetError           a preset file
    ├── ControlError          MIDI and OSC
    ├── WallError             conductor and nodes: an address, a key, a port
    ├── DisplayError          windows, monitors, OpenGL
    ├── SurfacesError         a file that says what is shown on which screen
    ├── ShaderError           an effect or generator that cannot be read or compiled
    ├── RecordingError        a video that cannot be written
    ├── FarmError             a film that the farm's workers cannot make
    ├── OutputError           a stream, or another program, that cannot be given the canvas
    │   └── OutputMissingError    for want of a library or driver, so that trying again is in vain
    ├── DownloadError         a fetch that failed or arrived wrong
    └── TrainingError         data or checkpoints for training

The message says what is wrong and what to do, in one or two lines; the command line prints it and
exits with status 2.
"""

from __future__ import annotations


class LavliveError(Exception):
    """Base of all errors that are shown to a user without a traceback."""


class UsageError(LavliveError):
    """The command line asks for something that does not exist or does not fit together."""


class ParameterError(UsageError):
    """A parameter's name is unknown, or its value is outside its range."""


class SourceError(LavliveError):
    """A sound source cannot be opened or read."""


class EncoderError(LavliveError):
    """The encoder's weights are missing, damaged or of another kind."""


class CheckpointError(LavliveError):
    """A generator's file is damaged, hostile, or of a kind that lavlive cannot show."""


class RunnerError(LavliveError):
    """A compute device or an inference library that was asked for cannot be used."""


class ModelDoesNotFitError(RunnerError):
    """A model needs more memory than the device has."""


class PresetError(LavliveError):
    """A preset cannot be read: the message gives file, line and reason."""


class ControlError(LavliveError):
    """A MIDI port, a binding or an OSC address cannot be used."""


class WallError(LavliveError):
    """A conductor or a node cannot be had: an address, a key, certificates, a port, a missing library."""


class DisplayError(LavliveError):
    """A window, a monitor or OpenGL cannot be had."""


class SurfacesError(LavliveError):
    """A file of surfaces cannot be read or written: the message gives file, line and field."""


class ShaderError(LavliveError):
    """A shader cannot be read, compiled or drawn; the message gives the line where there is one."""


class RecordingError(LavliveError):
    """A video file cannot be written."""


class OutputError(LavliveError):
    """The canvas cannot be given to a stream or to another program, for now."""


class OutputMissingError(OutputError):
    """This machine lacks what an output needs; the message says what to install."""


class FarmError(LavliveError):
    """A film cannot be made by the farm: its workers died over it."""


class DownloadError(LavliveError):
    """A download failed, or what arrived is not what was promised."""


class TrainingError(LavliveError):
    """Training data or a training checkpoint cannot be used."""
