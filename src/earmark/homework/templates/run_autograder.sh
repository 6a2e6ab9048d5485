#!/usr/bin/env bash
# Gradescope runs this as root for each submission. It leaves results/results.json, come what may.
set -u
root=${AUTOGRADER_ROOT:-/autograder}
python=${EARMARK_PYTHON:-$root/earmark/bin/python}
user=${AUTOGRADER_USER:-earmark}

mkdir -p "$root/results"
# What stands there if all that follows is killed.
cp "$root/source/unfinished.json" "$root/results/results.json"

work=$(mktemp -d)
cp -RP "$root/submission" "$work/submission"
drop=()
if [ "$(id -u)" = 0 ]; then
  chown -Rh "$user:$user" "$work"
  drop=(setpriv "--reuid=$user" "--regid=$user" --clear-groups --)
fi
# Without the variables that Gradescope's own harness was started with.
"${drop[@]}" env -i PATH="$PATH" LANG=C.UTF-8 HOME="$work" TMPDIR="$work" EARMARK_COURSE="$root/source/course" \
  "$python" -s -P -m earmark.homework.autograder "$root/source" "$work/submission" "$work/results.json"
[ -s "$work/results.json" ] && cp "$work/results.json" "$root/results/results.json"
rm -rf "$work"
exit 0
