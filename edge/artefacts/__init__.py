"""A model card, with weights or without -> files that an engine runs, one folder per engine and precision.

Knows no speed and no request.
"""
