"""The job as a test of otter-grader."""

OK_FORMAT = True
CODE = """\
>>> import tagging_job
>>> tagging_job.score(predict) > 0.1
True"""
test = {
    "name": "q1",
    "points": 1,
    "suites": [
        {
            "cases": [{"code": CODE, "hidden": True, "locked": False}],
            "scored": True,
            "setup": "",
            "teardown": "",
            "type": "doctest",
        }
    ],
}
