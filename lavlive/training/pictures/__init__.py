"""Families of pictures to train on, each from a formula and a seed."""
