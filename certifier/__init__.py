"""Certifier: which data of a particle-physics experiment are fit for physics."""

from __future__ import annotations

__version__ = "0.1.0"
