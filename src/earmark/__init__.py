"""Grade models that listen to and write music: sealed, on hidden splits, with honest error bars."""

__version__ = "0.5.0"
