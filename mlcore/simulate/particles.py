"""Charged particles in a time-projection chamber and a time-of-flight wall: pions, kaons, protons, electrons."""

from __future__ import annotations

import numpy as np

from mlcore.conditions import FloatArray

MASSES = {"electron": 0.000511, "pion": 0.13957, "kaon": 0.49368, "proton": 0.93827}
SHARES = {"electron": 0.02, "pion": 0.80, "kaon": 0.12, "proton": 0.06}
SPECIES = tuple(MASSES)
#: m from the vertex to the wall; s of its resolution; share of tracks that it sees
PATH, RESOLUTION, SEEN = 3.8, 90e-12, 0.75
_LIGHT = 2.998e8


def particles(seed: int, *, count: int) -> tuple[dict[str, FloatArray], FloatArray]:
    """Columns p (GeV/c), signal (energy loss in units of the least), clusters, beta (NaN where the wall saw nothing),
    chi2, dca (cm); and the species of each track, by its place in `SPECIES`."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 101]))
    kind = rng.choice(len(SPECIES), count, p=list(SHARES.values()))
    mass = np.array(list(MASSES.values()))[kind]
    p = 0.25 + rng.gamma(1.6, 0.55, count)
    clusters = np.clip(rng.normal(130.0, 18.0, count), 60, 159).round()
    signal = energy_loss(p / mass) * (1.0 + 0.055 * np.sqrt(130.0 / clusters) * rng.normal(size=count))
    true_beta = p / np.hypot(p, mass)
    flight = PATH / (_LIGHT * true_beta) + rng.normal(0.0, RESOLUTION, count)
    beta = PATH / (_LIGHT * flight)
    wrong = rng.random(count) < 0.04 + 0.06 / p  # the hit of another track
    beta = np.where(wrong, rng.uniform(0.4, 1.05, count), beta)
    beta[rng.random(count) > SEEN * (1.0 - np.exp(-p / 0.3))] = np.nan
    chi2 = rng.gamma(4.0, 0.3, count) * np.where(wrong, 1.6, 1.0)
    dca = np.abs(rng.normal(0.0, 0.03 + 0.05 / p, count)) * np.where(kind == 3, 1.5, 1.0)
    columns = {"p": p, "signal": signal, "clusters": clusters, "beta": beta, "chi2": chi2, "dca": dca}
    return columns, kind.astype(np.float64)


def energy_loss(beta_gamma: FloatArray) -> FloatArray:
    """Mean energy loss in units of that of a minimum-ionising particle, in the form that ALEPH used."""
    beta = beta_gamma / np.sqrt(1.0 + beta_gamma**2)
    loss = (3.8 - beta**2.2 - np.log(0.008 + beta_gamma**-2.1)) / beta**2.2
    return np.asarray(loss / 5.89)
