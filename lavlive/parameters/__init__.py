"""The parameters: what there is (`table`), how a name is found (`finding`), what they are now (`values`).

The rest of lavlive imports from here.
"""

from lavlive.parameters.finding import (
    DISSOLVE,
    LOADED_GROUPS,
    LOADED_NAMES,
    TRANSITION,
    LoadedParameters,
    can_be_driven,
    checked_settings,
    find,
    is_event,
    is_loaded,
    joined,
    known,
    loaded_parameters,
    thread_here,
)
from lavlive.parameters.glide import (
    Glide,
)
from lavlive.parameters.parameter import (
    Parameter,
    ParameterKind,
    Value,
)
from lavlive.parameters.reference import (
    reference,
)
from lavlive.parameters.table import (
    BEND_KINDS,
    BEND_PLACES,
    BEND_SLOTS,
    CHANNELS,
    DIALS_PER_GROUP,
    GLIDES,
    GROUPS,
    INDEX,
    LATENT_HEADS,
    NAMES,
    ONE_HOP,
    TABLE,
    group_of,
)
from lavlive.parameters.values import (
    Values,
)

__all__ = [
    "BEND_KINDS",
    "BEND_PLACES",
    "BEND_SLOTS",
    "CHANNELS",
    "DIALS_PER_GROUP",
    "DISSOLVE",
    "GLIDES",
    "GROUPS",
    "INDEX",
    "LATENT_HEADS",
    "LOADED_GROUPS",
    "LOADED_NAMES",
    "NAMES",
    "ONE_HOP",
    "TABLE",
    "TRANSITION",
    "Glide",
    "LoadedParameters",
    "Parameter",
    "ParameterKind",
    "Value",
    "Values",
    "can_be_driven",
    "checked_settings",
    "find",
    "group_of",
    "is_event",
    "is_loaded",
    "joined",
    "known",
    "loaded_parameters",
    "reference",
    "thread_here",
]
