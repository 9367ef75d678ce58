"""A package's model as a function from image to prediction: decode, preprocess, run, postprocess, draw.

Needs numpy, opencv and the backend's runtime only; no torch, no OpenMMLab.
"""
