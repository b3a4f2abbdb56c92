"""Reads of the third floor: lineage, samples, the figures of a round."""
