"""What each chapter of the book shows, one package for each; `BOOK` is all of them, in order.

Importing it keeps PyTorch to the cores that it may use (`machine.limit_threads`), and every
chapter does.
"""

from unrolled.extras import extra
from unrolled.machine import limit_threads

with extra("teaching", "unrolled.chapters"):
    from unrolled.chapters.chapter import Chapter, Idea
    from unrolled.chapters.convergence import CONVERGENCE
    from unrolled.chapters.rip import RIP
    from unrolled.chapters.unrolling import UNROLLING

__all__ = ["BOOK", "Chapter", "Idea"]

limit_threads()

BOOK = (UNROLLING, CONVERGENCE, RIP)
