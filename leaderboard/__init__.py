"""The machine that keeps runs, ranks them and shows them: database, boards, exports, pages.

Nothing here knows tasks, submissions or scoring; plain records go in (`records.py`) and come out.
"""
