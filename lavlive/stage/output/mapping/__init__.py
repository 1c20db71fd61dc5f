"""Mapping: parts of one canvas on several screens, bent to what they fall on. A room's, not a look's."""
