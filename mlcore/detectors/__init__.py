"""Detectors: one small file each, one contract for all (see `base`)."""
