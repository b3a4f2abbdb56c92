"""Earshot on one machine with nothing but Python: what `make run` and `make test` start with.

Standard library only, because it runs before the virtual environment exists.
"""
