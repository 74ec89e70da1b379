#!/usr/bin/env bash
# tests/gpu/check.sh DATA [--out FOLDER] [--dry]: whether one GPU reaches what is asked of it. See check.py beside this.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
PYTHONPATH="$here/../..${PYTHONPATH:+:$PYTHONPATH}" exec "${PYTHON:-python3}" "$here/check.py" "$@"
