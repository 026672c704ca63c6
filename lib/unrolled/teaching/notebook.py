"""What brings a notebook's outputs to life: the scripts of the site, held by the notebook itself.

Charts and questions need no kernel. They are shown as HTML, which JupyterLab, an export by
nbconvert and the notebook opened anew show alike, and ask no other host.
"""

from __future__ import annotations

import base64
import gzip
import re
from functools import cache
from pathlib import Path

import vl_convert

STATIC = Path(__file__).parent / "static"
STYLES = ("unrolled.css", "explorable.css", "quickcheck.css", "notebook.css")
SCRIPTS = ("explorable.js", "quickcheck.js")

_BEGIN, _END = "<!-- in a notebook -->", "<!-- /in a notebook -->"
_FOUND = '<script>document.dispatchEvent(new Event("unrolled"));</script>'

_holder = ""  # the name of what was shown first since the kernel started


def alive(name: str, page: str) -> str:
    """The HTML of the site as an output of a notebook.

    One output holds the scripts, Vega among them, for all: the one that was shown first since the
    kernel started, each time that it is shown.

    Args:
        name: unlike that of anything else that is shown.
        page: what the site shows.
    """
    global _holder
    _holder = _holder or name
    return f"{page}{_BEGIN}{front_end() if name == _holder else ''}{_FOUND}{_END}"


def for_site(page: str) -> str:
    """A page of the site without what its outputs have brought for notebooks."""
    return re.sub(f"{_BEGIN}.*?{_END}", "", page, flags=re.DOTALL)


@cache
def front_end() -> str:
    """Style sheets, Vega and scripts, as HTML."""
    styles = "".join((STATIC / name).read_text(encoding="utf-8") for name in STYLES)
    packed = base64.b64encode(gzip.compress(vega_bundle().encode(), mtime=0)).decode()
    scripts = "".join(
        f"<script>{(STATIC / name).read_text(encoding='utf-8')}</script>" for name in SCRIPTS
    )
    return (
        f"<style>{styles}</style>"
        f'<script type="application/gzip" class="unrolled-vega">{packed}</script>{scripts}'
    )


@cache
def vega_bundle() -> str:
    """Vega as one classic script that sets `window.vegaEmbed`: a page asks no other host."""
    module = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return f'(() => {{"use strict";{module}}})();'
