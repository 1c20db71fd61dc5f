"""StyleGAN2 and StyleGAN3 generators from other codebases, read without running anything that a file holds.

    recognise.py   what a file is, in words a user knows
    nvidia.py, stylegan3.py, rosinality.py, tensorflow.py
                   from each codebase's names and layouts to lavlive's
    child.py       all of the above in a process of its own, with limits on memory and time

The containers and the pickle machine are in ``lavlive.weightfiles``.

Nothing in this folder imports torch, apart from ``lavlive.generator.importing``, which uses it from outside:
the process that meets a foreign file has little in it and starts in a fraction of a second.
"""
