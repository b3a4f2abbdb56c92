"""The one error of this room: a sound that cannot be used, with the value that is wrong and the remedy."""


class AudioError(ValueError):
    """The sound cannot be used; the message names what was found and what to do about it."""
