"""The thoughts of the unrolling chapter, for the map in the introduction."""

from unrolled.chapters.chapter import Idea
from unrolled.guarantees.unrolling import DIVERGENCE_FREE, INHERITS, RUN_ON

IDEAS = (
    Idea(
        words=(
            "A network is trained for its last layer. Run it for longer, and its error may grow "
            "without end, although the algorithm that it came from converges."
        ),
        theorems=(RUN_ON,),
        breaks=(
            "Layers with steps of their own, or signals unlike those of the training: then its "
            "error is another."
        ),
        claims=((INHERITS, "squared error"),),
    ),
    Idea(
        words=(
            "A harmless denoiser does not make a layer harmless: the linear step before it may "
            "blow the error up."
        ),
        theorems=(DIVERGENCE_FREE,),
        breaks=(
            "A denoiser that does something, rows that are not orthonormal, a first error outside "
            "the row space, or noise: then the error grows otherwise, or not at all."
        ),
    ),
)
