"""Commands for those who work on lavlive."""
