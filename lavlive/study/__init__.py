"""Does it follow the music? The paper's claims and lavlive's defaults, tested on real tracks."""
