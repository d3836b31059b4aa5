#!/usr/bin/env bash
# Checks that the compiler and the C compiler (for SQLite and the TLS library) are there, and says what to do if not.
set -euo pipefail
if ! command -v cargo >/dev/null; then
  echo "cargo is missing: install Rust 1.95 or newer with rustup" >&2
  exit 1
fi
if ! command -v cc >/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && apt-get install -y -qq gcc libc6-dev make
  else
    echo "a C compiler is missing (SQLite and the TLS library are built with it): apt-get install gcc libc6-dev" >&2
    exit 1
  fi
fi

# All checkouts share one target folder, and Cargo tells their files apart by age alone: what another one built is dropped,
# while everything it depends on stays.
target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target"
if [ "$(cat "$target/checkout" 2>/dev/null)" != "$PWD" ]; then
  cargo clean --quiet --package inkdex --target-dir "$target"
  echo "$PWD" >"$target/checkout"
fi
