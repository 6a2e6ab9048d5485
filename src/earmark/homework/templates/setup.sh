#!/usr/bin/env bash
# Gradescope runs this once, as root, when it builds the image that every submission is then graded in.
set -euo pipefail
root=${AUTOGRADER_ROOT:-/autograder}
export DEBIAN_FRONTEND=noninteractive

apt-get update -qq
apt-get install -y -qq --no-install-recommends bubblewrap util-linux
# The Python that the pins were made with, else any that is new enough.
version=$(cat "$root/source/python-version")
apt-get install -y -qq --no-install-recommends "python$version" "python$version-venv" \
  || apt-get install -y -qq --no-install-recommends python3 python3-venv
python=$(command -v "python$version" || command -v python3)
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11) and "earmark needs Python 3.11: choose a newer base image")'

"$python" -m venv "$root/earmark"
"$root/earmark/bin/python" -m pip install -q --no-cache-dir -c "$root/source/constraints.txt" "$root"/source/earmark-*.whl

# Whoever grades is not root, whom landlock would not stop, and alone may read what is hidden.
id earmark >/dev/null 2>&1 || useradd --system --create-home --user-group earmark
chown -R earmark:earmark "$root/source"
chmod 700 "$root/source"
# For the log of this build, which only staff see: whether submissions can be kept apart here.
setpriv --reuid=earmark --regid=earmark --clear-groups -- env HOME=/home/earmark "$root/earmark/bin/earmark" doctor || true
