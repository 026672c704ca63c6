"""Quick checks: questions whose answer key is computed, not stored.

Every option, number and test of a question is a small computation. The key is what these
computations give at the moment when the question is shown, so no key can disagree with the library.
"""

from unrolled.teaching.quickcheck.code import Code
from unrolled.teaching.quickcheck.grading import Grade
from unrolled.teaching.quickcheck.multiple_choice import MultipleChoice, Option
from unrolled.teaching.quickcheck.numeric import Misconception, Numeric
from unrolled.teaching.quickcheck.question import QuickCheck

QuickCheck.choice, QuickCheck.numeric, QuickCheck.code = MultipleChoice, Numeric, Code

__all__ = ["Code", "Grade", "Misconception", "MultipleChoice", "Numeric", "Option", "QuickCheck"]
