"""Encoders in the layouts in which they are published, read without running anything that a file holds.

    configuration.py  an encoder described by numbers
    layouts.py        from each layout's names to those of ``encodec``'s ``SEANetEncoder``
    recognise.py      which layout a file or folder has
    child.py          all of it in a process of its own, with limits on memory and time

Imports no torch.
"""
