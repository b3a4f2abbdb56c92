"""Writes of the third floor: first policies, speech, rounds, the registry of checkpoints. See docs/rounds.md."""
