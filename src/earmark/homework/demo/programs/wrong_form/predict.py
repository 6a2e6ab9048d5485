"""Answers with the name of the best class, where a score for each is asked."""


def predict(classes=(), tags=(), **inputs):
    """-> a text"""
    return [*classes, *tags][0]
