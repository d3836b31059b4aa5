#!/usr/bin/env bash
# Prints a folder of robots.txt files as they stand in the wild: the test data of Protego (BSD licence), which lies in its source
# archive on PyPI. Fetched once for this machine; never part of this repository.
set -euo pipefail
version=0.7.0
sha256=2c032d9736a1f4f0c4318f3558353ae34da5cd038f1a5e064ded7548df315e5a
cache="${XDG_CACHE_HOME:-$HOME/.cache}/inkdex/robots"
home="$cache/protego-$version"
fail() { echo "robots-corpus: $*" >&2; exit 1; }

mkdir -p "$cache"
exec 9>"$cache/.lock"
flock 9
if [ ! -e "$home/.complete" ]; then
  command -v python3 >/dev/null || fail "python3 is missing; install it: apt-get install python3"
  echo "robots-corpus: fetching the source archive of Protego $version, once for this machine" >&2
  work="$(mktemp -d "$cache/.fetch-XXXXXX")"
  trap 'rm -rf "$work"' EXIT
  # pip comes with its own virtual environment: distributions keep theirs from being used.
  python3 -m venv "$work/venv" >&2 || fail "no virtual environment can be made; install it: apt-get install python3-venv"
  "$work/venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --no-binary protego --dest "$work" "protego==$version" >&2 \
    || fail "the source archive of Protego $version could not be fetched; is PyPI within reach?"
  echo "$sha256  $work/protego-$version.tar.gz" | sha256sum --check --quiet >&2 || fail "the archive of Protego $version is not the one that was looked at"
  tar -xzf "$work/protego-$version.tar.gz" -C "$work" "protego-$version/tests/test_data" "protego-$version/LICENSE"
  touch "$work/protego-$version/.complete"
  rm -rf "$home"
  mv "$work/protego-$version" "$home"
fi
echo "$home/tests/test_data"
