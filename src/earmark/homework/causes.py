"""Why a run failed, in our own words: those of a run on the hidden split may tell of what it heard."""

import builtins
import re

CAUSES = {
    "time limit": "An answer took too long. Likely causes: a model that is too large for the machine it is graded on, "
    "weights that are loaded in predict and not once at the top of predict.py, an endless loop.",
    "memory limit": "It needed more memory than it may. Likely causes: all clips kept in a list, a batch that is too "
    "large, gradients that are kept because torch.no_grad() is missing.",
    "output limit": "It printed without end. Likely cause: a print in a loop over samples or frames.",
    "crashed": "predict.py ended by an error. Likely causes: a file that was not handed in or is looked for at an "
    "absolute path, a package that is not there, a clip shorter, longer or quieter than any that it was tried on.",
    "wrong form": "An answer was not of the form that the task asks for. Likely causes: another dtype or shape, the "
    "axes in another order, NaN or infinity from a division or a logarithm of zero.",
    "too large": "The folder is larger than it may be. Likely cause: data, caches or checkpoints beside the weights.",
    "refused": "It breaks a rule of the assignment.",
}
"""Of each verdict, the likely cause: what a run on the hidden split said itself may tell of its clips."""


IMPORTING = "While predict.py was imported"
ERRORS = {
    name
    for name, kind in vars(builtins).items()
    if isinstance(kind, type) and issubclass(kind, BaseException)
}


def error_of(reason: str) -> str:
    """What ended a run, from a list of known words alone: in any other it could tell of what it heard."""
    found = [name for name in re.findall(r"\b[A-Z]\w+\b", reason) if name in ERRORS]
    when = " while predict.py was imported" if IMPORTING in reason else ""
    return f"{found[-1] if found else 'An error'}{when}" if found or when else ""
