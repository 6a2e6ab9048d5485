"""If the grader ever imports this, its environment says so."""

import os

os.environ["EARMARK_ATTACKED"] = "yes"


def accuracy_score(*_, **__):
    return 1.0


average_precision_score = f1_score = bss_eval_sources = score_clip = accuracy_score
