"""Everything that is computed from a study's votes, kept and shown with how fresh it is. See docs/statistics.md."""
