"""Explorables: charts made of sympy expressions that stay interactive without a kernel."""

from unrolled.teaching.explorable.chart import Panel
from unrolled.teaching.explorable.explorable import Explorable, vega_bundle
from unrolled.teaching.explorable.layers import Bars, Curves, Points, Sequence
from unrolled.teaching.explorable.slider import Slider

__all__ = ["Bars", "Curves", "Explorable", "Panel", "Points", "Sequence", "Slider", "vega_bundle"]
