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
if ! found=$(timeout 60 "$deny" --all-features check advisories 2>&1); then
  if grep -qiE 'failed to fetch|failed to clone|advisory database' <<<"$found"; then
    echo "ADVISORIES UNCHECKED: their database cannot be reached from here"
  else
    printf '%s\n' "$found"
    exit 1
  fi
fi
