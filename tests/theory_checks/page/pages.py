"""Pages as their readers find them, and documents that would do them harm."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from importlib import resources

VOID = {"meta", "br"}


class Page(HTMLParser):
    """The elements of a page in their order, each with its attributes, parents and text."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements = []
        self.open = []
        self.feed(text)
        self.close()
        assert not self.open, "elements that are not closed"

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"an attribute given twice: {names}"
        found = {"tag": tag, "attrs": dict(attrs), "parents": tuple(self.open), "text": ""}
        self.elements.append(found)
        if tag not in VOID:
            self.open.append(found)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> without a beginning"
        assert self.open.pop()["tag"] == tag, f"</{tag}> ends another element"

    def handle_data(self, data):
        for parent in self.open:
            parent["text"] += data

    def all(self, tag=None, **attrs):
        wanted = {name.rstrip("_"): value for name, value in attrs.items()}
        return [
            e
            for e in self.elements
            if (tag is None or e["tag"] == tag)
            and all(value in (e["attrs"].get(name) or "").split() for name, value in wanted.items())
        ]

    def within(self, parent, tag=None):
        return [
            e
            for e in self.elements
            if any(p is parent for p in e["parents"]) and (tag is None or e["tag"] == tag)
        ]

    def by_id(self, name):
        (found,) = [e for e in self.elements if e["attrs"].get("id") == name]
        return found


def leaves(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from leaves(item)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield value


HOSTILE = "<script>alert('&quot;')</script>\" onload=\"x' & <img src=http://x.y/>"


def hostile(value, keep=("schema", "date")):
    """A document with hostile text in the place of every string and in every name."""
    if isinstance(value, dict):
        return {
            key if key in STRUCTURE else key + HOSTILE: item if key in keep else hostile(item, keep)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [hostile(item, keep) for item in value]
    if isinstance(value, str) and value not in ("inf", "-inf", "nan"):
        return value + HOSTILE
    return value


def names_of(schema):
    """The names of fields that a schema knows: those are no text of the document."""
    names = set(schema.get("properties", ()))
    for item in schema.values():
        if isinstance(item, dict):
            names |= names_of(item)
    for item in schema.get("$defs", {}).values():
        names |= names_of(item)
    return names


def schema(name):
    text = resources.files("theory_checks").joinpath(f"schemas/{name}.schema.json").read_text()
    return json.loads(text)


STRUCTURE = names_of(schema("ledger-2"))
