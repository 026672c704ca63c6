"""What Vega's own runtime makes of an explorable, and whether it agrees with Python."""

import base64
import copy
import gzip
import itertools
import json
import re

import numpy as np
import vl_convert


def computed(explorable, **settings):
    """Every data set as Vega's runtime computes it: for each panel, label to rows of (x, y)."""
    encode = {
        "x": {"signal": "isString(datum.x) ? 0 : datum.x"},
        "y": {"signal": "datum.y"},
        "fill": {"field": "series"},  # strings that the scene graph passes on
        "stroke": {"signal": "isString(datum.x) ? datum.x : ''"},
    }
    panels = []
    for panel, spec in zip(explorable.panels, explorable.specifications(), strict=True):
        spec = copy.deepcopy(spec)
        at(spec, explorable, settings)
        spec |= {"axes": [], "marks": []}
        for layer, data in zip(panel.layers, spec["data"], strict=True):
            if layer.labels:
                source = {"data": data["name"]}
                spec["marks"].append(
                    {"type": "symbol", "from": source, "encode": {"update": encode}}
                )
        found = {}
        for mark in scene(spec):
            for item in mark.get("items", []):
                row = (item.get("stroke") or item.get("x", 0), item.get("y", 0))
                found.setdefault(item["fill"], []).append(row)
        panels.append(found)
    return panels


def at(spec, explorable, settings):
    """Put a specification into a setting, given by names."""
    signals = {one["name"]: one for one in spec["signals"] if "value" in one}
    for slider in explorable.sliders:
        place = slider.index(settings.get(slider.name, slider.values[slider.start_index]))
        signals[slider.index_signal] |= {"value": place}


def scene(spec):
    """The marks of a specification as Vega's runtime makes them."""
    return vl_convert.vega_to_scenegraph(spec)["scenegraph"]["items"][0]["items"]


def agree(here, there):
    """Raise AssertionError unless both sides have the same series with the same values."""
    assert len(here) == len(there)
    for mine, other in zip(here, there, strict=True):
        assert {label for label, (x, _) in mine.items() if len(x)} == set(other)
        for label, rows in other.items():
            x, y = mine[label]
            if x.dtype.kind == "U":
                assert [row[0] for row in rows] == list(x)
            else:
                np.testing.assert_allclose([row[0] for row in rows], x, rtol=1e-12)
            np.testing.assert_allclose([row[1] for row in rows], y, rtol=1e-9, atol=1e-15)


def settings_of(explorable):
    grids = [[(s.symbol, value) for value in s.values] for s in explorable.sliders]
    return [dict(setting) for setting in itertools.product(*grids)]


def payload_of(page):
    packed = re.search(r'<script type="application/gzip">(.*?)</script>', page, re.S)[1]
    return json.loads(gzip.decompress(base64.b64decode(packed)))
