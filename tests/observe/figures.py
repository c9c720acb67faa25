#!/usr/bin/env python3
"""Compares the list of docs/metrics.md with a /metrics page."""

import collections
import pathlib
import re
import sys
import urllib.request

LIST = pathlib.Path(__file__).parents[2] / "docs/metrics.md"


def families(page):
    """Name to (type, labels, series) of a page in Prometheus' text format."""
    types, labels, series = {}, collections.defaultdict(set), collections.Counter()
    for line in page.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name not in types, f"{name} is told twice"
            types[name] = kind
        elif line and not line.startswith("#"):
            name = re.match(r"[a-z_0-9]+", line).group()
            found = dict(re.findall(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', line))
            owner = name
            if owner not in types:
                owner = re.sub(r"_(bucket|sum|count)$", "", name)
            labels[owner] |= set(found) - {"le"}
            if "le" not in found:
                series[owner] += 1
    return {n: (types[n], frozenset(labels[n]), series[n]) for n in types}


def documented():
    rows = {}
    for name, words in re.findall(r"^- `([a-z_0-9]+)` \(([^)]*)\)", LIST.read_text(), re.M):
        kind, _, labels = words.partition(";")
        rows[name] = (kind, frozenset(re.findall(r"`([a-z_]+)`", labels)))
    return rows


def differences(page):
    """Names of which one side knows nothing, or another type or other labels."""
    exposed = {n: (kind, labels) for n, (kind, labels, _) in families(page).items()}
    listed = documented()
    return {
        name: {"exposed": exposed.get(name), "documented": listed.get(name)}
        for name in sorted(exposed.keys() | listed.keys())
        if exposed.get(name) != listed.get(name)
    }


if __name__ == "__main__":
    found = differences(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode())
    for name, sides in found.items():
        print(name, sides)
    sys.exit(1 if found else 0)
