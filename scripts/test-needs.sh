#!/usr/bin/env bash
# Installs what the tests need besides Rust: Chromium for the pages, with its own sandbox where the kernel gives none to ordinary
# users; Python for the comparison with the rule book of scores and, with warcio, for reading the evidence of visits; OpenSSL for a
# server whose certificate nobody signed; and fetches the robots.txt files that parsers are compared on. Programs named as arguments
# are installed besides, from packages of the same names.
set -euo pipefail
missing=()
command -v chromium >/dev/null || missing+=(chromium)
if [ ! -u /usr/lib/chromium/chrome-sandbox ] && ! setpriv --reuid=65534 --regid=65534 --clear-groups unshare --user true 2>/dev/null; then
  missing+=(chromium-sandbox)
fi
command -v python3 >/dev/null || missing+=(python3)
command -v openssl >/dev/null || missing+=(openssl)
for program; do command -v "$program" >/dev/null || missing+=("$program"); done
if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing ${missing[*]}"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null
  else
    echo "the tests need: apt-get install ${missing[*]}" >&2
    exit 1
  fi
fi

# Read by tests/pipeline/evidence.rs, in a folder of its own beside what servers.sh fetches.
warcio=1.7.5
folder="${XDG_CACHE_HOME:-$HOME/.cache}/inkdex/warcio-$warcio"
if [ ! -x "$folder/bin/warcio" ]; then
  if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
      apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null
    else
      echo "the tests need: apt-get install python3-venv" >&2
      exit 1
    fi
  fi
  echo "installing warcio $warcio"
  python3 -m venv "$folder" && "$folder/bin/pip" install --quiet --disable-pip-version-check "warcio==$warcio"
fi

"$(dirname "${BASH_SOURCE[0]}")/robots-corpus.sh" >/dev/null
