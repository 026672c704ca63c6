"""What each chapter of the book shows, one package for each; `BOOK` is all of them, in order."""

from unrolled.extras import extra

with extra("teaching", "unrolled.chapters"):
    from unrolled.chapters.chapter import Chapter, Idea
    from unrolled.chapters.convergence import CONVERGENCE
    from unrolled.chapters.rip import RIP
    from unrolled.chapters.unrolling import UNROLLING

__all__ = ["BOOK", "Chapter", "Idea"]

BOOK = (UNROLLING, CONVERGENCE, RIP)
