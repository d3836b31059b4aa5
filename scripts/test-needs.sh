#!/usr/bin/env bash
# Installs what the tests need besides Rust: Chromium for the pages, Python for the comparison with the rule book of scores,
# OpenSSL for a server whose certificate nobody signed.
set -euo pipefail
missing=()
command -v chromium >/dev/null || missing+=(chromium)
command -v python3 >/dev/null || missing+=(python3)
command -v openssl >/dev/null || missing+=(openssl)
if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing ${missing[*]}"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null
  else
    echo "the tests need: apt-get install ${missing[*]}" >&2
    exit 1
  fi
fi
