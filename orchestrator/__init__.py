"""Retinue runs teams of agents that stay.

Where to go next: `profile` (what a person writes), `team` (how work is routed and run), `agent`
(the loop of one member), `tool`, `model`, `sandbox` (what it works with), `runtime` (where the
pieces are put together).
"""

__version__ = "0.1.0"
