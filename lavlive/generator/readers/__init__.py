"""StyleGAN2 generators from other codebases, read without running anything that a file holds.

    window.py      a stretch of a file, read in small pieces
    machine.py     the pickle machine: opcodes to inert objects, under limits
    inert.py       the exact dictionary of what a pickle may name, and what stands in for it
    arrays.py      tensors and arrays that stay in the file until they are wanted
    torchfile.py   the two containers that ``torch.save`` writes
    recognise.py   what a file is, in words a user knows
    nvidia.py, rosinality.py, tensorflow.py
                   from each codebase's names and layouts to lavlive's
    child.py       all of the above in a process of its own, with limits on memory and time

Nothing in this folder imports torch, apart from ``lavlive.generator.importing``, which uses it from outside:
the process that meets a foreign file has little in it and starts in a fraction of a second.
"""
