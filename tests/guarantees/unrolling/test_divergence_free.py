"""The divergence-free step: the theorem holds, can fail, and the step is what its name says."""

import pytest
import torch

from unrolled.guarantees import unrolling
from unrolled.sensing import gaussian


@pytest.mark.parametrize(("m", "lam"), [(3, 0.01), (8, 1.0), (15, 10.0)])
def test_the_linear_step_is_divergence_free(m, lam):
    operator = gaussian(m, 16, generator=torch.Generator().manual_seed(m), dtype=torch.float64)
    zero = torch.zeros(16, m, dtype=torch.float64)
    # The rows of the identity, as errors, become the rows of I − γW_λA.
    errors = unrolling.divergence_free_step(operator, torch.eye(16).double(), zero, lam)
    assert float(errors.trace()) == pytest.approx(0, abs=1e-10)
    plain = torch.eye(16).double() - operator.lmmse(operator.dense().T, lam)
    assert float(plain.trace()) > 0.5


def test_rows_are_orthonormal():
    generator = torch.Generator().manual_seed(0)
    A = unrolling.row_orthogonal(5, 9, generator=generator).dense()
    torch.testing.assert_close(A @ A.T, torch.eye(5, dtype=torch.float64))
