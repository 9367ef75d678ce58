"""Speeds measured once and kept: what a row is, the database it lies in, and the file it travels in."""
