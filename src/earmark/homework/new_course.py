"""Start a course: a folder with a commented course.yaml, a roster to replace, and a README for the assistants.

In course.yaml a line that begins with `# ` is prose, and one that begins with `#` and a key is a setting to turn on.
"""

from datetime import date, timedelta
from pathlib import Path
from string import Template

from earmark.errors import InstructorError
from earmark.homework.assignment_form import PARTS
from earmark.leaderboard import clock

COURSE = """\
# A course. `earmark course check` reads all of it and names every mistake with its line.
# Lines such as `#quota: 5` are settings that are off: take the # away to turn one on.

title: Music models
timezone: Asia/Taipei   # of every moment below that names none; also of the days that quotas count
roster: roster.csv      # as Canvas, Moodle, Gradescope or your university exports it
#teams: teams.csv       # two columns, team and student (id, email or login); else the roster's column team

# A hand-in at most a day late loses 20 % of its points, at most two days 40 %; a later one earns nothing.
late: {1 day: 20 %, 2 days: 40 %}

# Of every run of a task, over the task's own. Sizes as 512 MB or 4 GiB, times as 90 s or 10 min.
limits:
  note_classification: {split_seconds: 10 min, memory_bytes: 4 GiB}
  #audio_tagging: {clip_seconds: 2, folder_bytes: 100 MB}

# The public boards: of `public`, the share of clips whose score is shown before the board ends.
#boards:
  #audio_tagging: {public: 0.3, ends: $due5, quota: 5, ladder: true}

assignments:
  # The name goes into commands and file names: earmark hand-in my-model --assignment hw1
  hw1:
    title: Which instrument plays
    task: note_classification         # earmark tasks lists them
    release: $release1
    due: $due1
    weight: 15                        # percent of the final grade; all weights sum to 100
    #data: my-recordings              # a folder with a manifest.csv, or a data set; else the task's embedded one
    #split: test
    #quota: 5                         # hand-ins that a team may make a day
    #late: {12 h: 50 %}               # in place of the rule above
    limits:
      parameters: 10 M
      pretrained: false               # trained from scratch: submission.yaml must say `from_scratch: true`
    external_data: []                 # no data but the task's; without this line any that is declared
    points:
      # Points for the headline, linear between these: an empty answer, a baseline, a score, the class's best.
      scale: {blank: 0, svm: 40, 0.8: 60, best: 70}
      # ignore: points follow the score. doubt: everyone has the points of the best score that theirs can't be
      # told from. groups: all who are linked by such differences have the same.
      noise: doubt
    parts: {report: 20, code: 10}     # most points for what a person grades, in $parts/hw1.csv
    #parts_file: $parts/first.csv
    report: {file: report.pdf, pages: 4}
    #starter: starter                # a folder of code that students start from: in the copy check it is nobody's
    requires: [README.md, "requirements.txt|environment.yml"]   # of alternatives one

  hw2:
    title: Who plays when
    task: instrument_activity
    release: $release2
    due: $due2
    weight: 15
    limits: {parameters: 10 M}
    pretrained: [panns-cnn14, beats]  # weights of others that may be declared, and no other ones
    points: {scale: {blank: 0, logistic: 40, crnn: 60, best: 70}, noise: doubt}
    parts: {report: 20, code: 10}
    report: {pages: 4}
    requires: [README.md, "requirements.txt|environment.yml"]

  hw3:
    title: Take a mixture apart
    task: source_separation
    release: $release3
    due: $due3
    weight: 15
    limits: {parameters: 10 M, pretrained: false}
    points: {scale: {blank: 0, mixture: 10, umx: 60, best: 70}, noise: doubt}
    parts: {report: 20, code: 10}
    report: {pages: 4}
    requires: [README.md, "requirements.txt|environment.yml"]

  hw4:
    title: A melody for these words
    task: melody_generation
    release: $release4
    due: $due4
    weight: 15
    points: {scale: {blank: 0, markov: 40, lstm: 60, best: 70}, noise: groups}
    parts: {report: 20, code: 10}
    report: {pages: 4}
    requires: [README.md, "requirements.txt|environment.yml"]

  project:
    title: Final project
    task: audio_tagging
    release: $release5
    due: $due5
    weight: 40
    late: {1 day: 30 %}
    limits: {parameters: 50 M, folder_bytes: 500 MB}
    points: {scale: {blank: 0, logistic: 20, cnn: 35, best: 50}, noise: doubt}
    parts: {report: 30, code: 10, talk: 10}
    report: {pages: 8}
    requires: [README.md, "requirements.txt|environment.yml"]
"""
ROSTER = """\
id,name,email,login,section,team
r001,"Chen, Yi-Ting",yiting@example.edu,ytchen,A,Blue Notes
r002,王小明,ming@example.edu,mwang,A,Blue Notes
r003,Zoë O'Brien,zoe@example.edu,zobrien,A,Blue Notes
r004,José Núñez,jose@example.edu,jnunez,B,Overtones
r005,Асель Нурланова,asel@example.edu,anurlanova,B,Overtones
r006,Sam Lee,sam@example.edu,slee,B,
"""
README = f"""\
# For the assistants

`roster.csv` has invented students: put your university's export in its place. Whoever has no team works alone.

    earmark course check                   what the course is, and every mistake in it
    earmark board --html site              the public boards
    earmark course --help                  all that can be done with hand-ins

Run them in this folder, or name it by `--course`.

- `course.yaml` is the course. Change it when you like, and check it again.
- `{PARTS}/` is for points that a person gives: `{PARTS}/hw1.csv` has a column `student` or `team`, one for each part
  (here `report` and `code`) and, if you like, `comment`.
- `tasks/`, `baselines/` and `datasets/`, if you make them, are shelves of your own, searched before earmark's.
- `hidden/`, the database and all hand-ins come to lie here too. Nobody but you may read them: keep this folder out
  of what students can see, and make backups of it.
"""
WEEKS_APART = 3
FILES = ("course.yaml", "roster.csv", "README.md")


def start_course(folder: Path) -> None:
    """Write a new course into a folder. Raises InstructorError, and writes nothing, where one is there."""
    there = [name for name in (*FILES, PARTS) if (folder / name).exists()]
    if there or (folder.exists() and not folder.is_dir()):
        what = f"has {' and '.join(there)} already" if there else "is a file"
        raise InstructorError(f"{folder} {what}: name a folder without, and nothing is overwritten.")
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)  # names, marks and the hidden split are its owner's
    (folder / PARTS).mkdir()
    course = Template(COURSE).substitute(_moments(clock.now().date()), parts=PARTS)
    for name, text in zip(FILES, (course, ROSTER, README), strict=True):
        (folder / name).write_text(text, encoding="utf-8")


def _moments(today: date) -> dict[str, str]:
    """When each of five assignments is released and due: every three weeks from next Monday on, the last has six."""
    monday = today + timedelta(days=7 - today.weekday())
    moments: dict[str, str] = {}
    for number in range(1, 6):
        release = monday + timedelta(weeks=WEEKS_APART * (number - 1))
        due = release + timedelta(weeks=6 if number == 5 else 2, days=-1)
        moments |= {f"release{number}": f"{release} 09:00", f"due{number}": f"{due} 23:59"}
    return moments
