#!/usr/bin/env bash
# Licences, bans and sources of all dependencies; advisories where their database can be had.
set -euo pipefail
cache="${XDG_CACHE_HOME:-$HOME/.cache}/inkdex"
version=0.20.2
deny="$cache/tools/bin/cargo-deny"
if [ "$("$deny" --version 2>/dev/null || true)" != "cargo-deny $version" ]; then
  echo "building cargo-deny $version, once for this machine"
  CARGO_TARGET_DIR="$cache/tools-target" cargo install cargo-deny --version "$version" --locked --debug --no-default-features \
    --root "$cache/tools" --quiet
  rm -rf "$cache/tools-target"
fi
"$deny" --all-features check bans licenses sources
if ! timeout 60 "$deny" --all-features check advisories; then
  if timeout 20 git ls-remote https://github.com/rustsec/advisory-db >/dev/null 2>&1; then
    exit 1
  fi
  echo "ADVISORIES UNCHECKED: their database cannot be reached from here"
fi
