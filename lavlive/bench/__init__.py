"""``lavlive bench``: time of every stage, of the whole show, and from sound to picture."""
