"""Files of weights, read without running anything that they hold.

    window.py           a stretch of a file, read in small pieces
    machine.py          the pickle machine: opcodes to stand-ins, under limits
    names.py            the exact dictionary of what a pickle may name, and what stands in for it
    arrays.py           tensors and arrays that stay in the file until they are wanted
    torchfile.py        the two containers that ``torch.save`` writes
    safetensorsfile.py  safetensors, of whose header nothing is believed
    containers.py       which of these a file is, by its first bytes
    weights.py          weights taken by name: numbers that a network can compute with, or a refusal
    child.py            a reading in a process of its own, with limits on memory and time: the process
    reading.py          and whoever starts it

Nothing in this folder imports torch: the process that meets a foreign file has little in it and starts in a
fraction of a second. Generators and encoders are told from such files by their own ``readers``.
"""
