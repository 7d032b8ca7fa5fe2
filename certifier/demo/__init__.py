"""A small detector that never existed, so that every page has something true to show.

`world` is the machine (fills, runs, luminosity), `catalogue` what can be wrong, `history` who said what, `signatures`
who signed, `people` who they are; all pure and from a fixed seed. `load` writes it through the rooms' own services.
"""
