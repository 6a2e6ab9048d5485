"""The machine that finds what is alike in two submissions: code, weights, answers, reports.

Nothing here knows courses, teams or runs; texts and arrays go in. It tells how alike two things are and where, never
why: that is for a person to find out.
"""
