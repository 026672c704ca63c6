"""Message passing: estimation with a prior, and the errors that state evolution predicts for it.

The model is y = Ax + w with x from a prior with independent real entries and w ~ N(0, noise·I).
State evolution is exact as n, m → ∞ with n/m fixed, for Lipschitz denoisers and

- AMP on A with independent Gaussian entries of mean 0 and variance 1/m (Bayati and Montanari
  2011), and with sub-Gaussian ones too (Bayati, Lelarge and Montanari 2015);
- OAMP, also known as vector AMP, on right-rotationally invariant A: A = U diag(s) Vᵀ with V
  uniform (Haar) and independent of U, s, x and w, s being bounded and its distribution converging
  (Rangan, Schniter and Fletcher 2019).

At finite size it is an approximation. It is used beyond these A as well: for rows drawn from a
fast transform, such as the partial DCT, OAMP's is a good approximation.
"""

from __future__ import annotations

import torch
from torch import Tensor

from unrolled.checks import (
    check_depth,
    check_flag,
    check_held,
    check_kind,
    check_positive,
    check_spectrum,
)
from unrolled.iterations.start import start
from unrolled.sensing import BatchOperator, SensingOperator
from unrolled.sensing.check import sound_eigenvalues
from unrolled.signals import Gaussian, Prior

__all__ = ["amp", "amp_state_evolution", "oamp", "oamp_state_evolution"]


def amp(
    operator: SensingOperator,
    y: Tensor,
    *,
    noise: float,
    depth: int,
    prior: Prior | None = None,
    predicted: bool = False,
) -> Tensor:
    """Bayes-optimal AMP from x_0 = 0: all iterates, (depth + 1, B, n).

    z_k = y − Ax_k + c·d_k·z_{k−1}, x_{k+1} = D(x_k + Aᵀz_k), c = n/m, with D the prior's posterior
    mean for an error of variance τ_k², and d_k the mean slope of the D before, one for each signal
    (Donoho, Maleki and Montanari 2009). τ_k² is measured for each signal, ‖z_k‖²/m and no less
    than σ², so that an error that is larger than usual is taken for what it is. Made for A with
    independent N(0, 1/m) entries, for which `amp_state_evolution` holds; for other A it may
    diverge.

    A run that diverges shows in its iterates, which may overflow.

    Args:
        y: (B, m), real.
        noise: the variance σ² ≥ 0 of one entry of w.
        prior: N(0, I) by default.
        predicted: whether τ_k² is what `amp_state_evolution` predicts, one for all signals, as the
            theory of AMP has it. At finite size a signal whose error once exceeds the prediction
            may run off for ever: of sparse ones behind 100×200 matrices about a third do.

    Raises:
        ValueError: shapes and dtypes that do not fit, or numbers out of range.
    """
    iterates = [start(operator, y, depth)]
    m, n = operator.shape
    prior = Gaussian(n) if prior is None else prior
    _check_real(operator, prior)
    check_flag("predicted", predicted)
    noise = check_positive("noise", noise, zero=True)
    check_held("noise", noise, y.dtype)
    # Neither this nor its sum with the variance of a signal may be 0 or infinite.
    least, most = torch.finfo(y.dtype).tiny, torch.finfo(y.dtype).max / 2
    variances: Tensor | None = None
    if predicted:
        variances, _ = amp_state_evolution(n / m, noise=noise, depth=depth, prior=prior)
        variances = variances.clamp(least, most).to(y)
    residual = torch.zeros_like(y)
    slope: Tensor | float = 0.0
    for k in range(depth):
        x = iterates[-1]
        residual = y - operator.unchecked_forward(x) + n / m * slope * residual
        if variances is None:
            variance = residual.square().mean(1, keepdim=True).clamp(max(noise, least), most)
        else:
            variance = variances[k]
        x, slopes = prior.unchecked_denoise(x + operator.unchecked_adjoint(residual), variance)
        slope = slopes.mean(1, keepdim=True)  # (B, 1)
        iterates.append(x)
    return torch.stack(iterates)


def amp_state_evolution(
    ratio: float, *, noise: float, depth: int, prior: Prior
) -> tuple[Tensor, Tensor]:
    """The errors of AMP for independent N(0, 1/m) entries: τ², (depth,), and v², (depth + 1,).

    τ_k² = σ² + c·v_k² is the variance of the error before the denoiser of layer k + 1, and
    v_{k+1}² = mmse(τ_k²) that of one entry of x_{k+1}. v_0² is the prior's second moment. Exact
    as n, m → ∞ with n/m = c for A with independent Gaussian entries (Bayati and Montanari 2011),
    and for sub-Gaussian ones (Bayati, Lelarge and Montanari 2015). Both are float64.

    Args:
        ratio: c = n/m, 0 < c < ∞.
        noise: σ² ≥ 0.
        prior: what draws x.
    """
    check_depth(depth)
    noise = check_positive("noise", noise, zero=True)
    ratio = check_positive("ratio", ratio)
    check_kind("prior", prior, Prior)
    before, after = [], [prior.second_moment]
    for _ in range(depth):
        before.append(noise + ratio * after[-1])
        after.append(prior.mmse(before[-1]))
    return torch.tensor(before, dtype=torch.float64), torch.tensor(after, dtype=torch.float64)


def oamp(
    operator: SensingOperator,
    y: Tensor,
    *,
    noise: float,
    depth: int,
    prior: Prior,
    posterior: bool = False,
) -> Tensor:
    """Orthogonal AMP, also known as vector AMP, from x_0 = 0: all iterates, (depth + 1, B, n).

    r = x + γW_λ(y − Ax), x⁺ = (D(r) − d·r)/(1 − d). W_λ = Aᵀ(AAᵀ + λI)⁻¹ with λ = σ²/v² is the
    linear MMSE step, and γ = n/tr(W_λA) makes it divergence-free; D is the prior's posterior mean
    for an error of variance τ² = v²(γ − 1), and subtracting its mean slope d makes that
    divergence-free too. The variance of the error in x is estimated in each layer for each signal:
    v² = (‖y − Ax‖² − mσ²)/tr(AᵀA). Made for right-rotationally invariant A, whatever its singular
    values are (Ma and Ping 2017; Rangan, Schniter and Fletcher 2019), for which
    `oamp_state_evolution` holds; it is used for others, as an approximation.

    Three bounds keep chance and rounding from dividing by zero, with ε the precision of the dtype
    and L = λ_max(AᵀA): v² ≥ εσ²/L and λ ≥ εL, beyond which γW_λ is the same in that precision, and
    1 − d ≥ √ε, so that rounding is magnified by no more than 1/√ε. v² and τ² never underflow to 0.

    Args:
        y: (B, m), real.
        noise: the variance σ² ≥ 0 of one entry of w.
        prior: what draws x.
        posterior: whether to return D(r) of each layer in place of x⁺. It has the smaller error, by
            about the factor 1 − d, and is the estimate to use; x⁺ is what the next layer needs.

    Raises:
        ValueError: shapes and dtypes that do not fit, numbers out of range, or A = 0.
    """
    x = start(operator, y, depth)
    noise = check_positive("noise", noise, zero=True)
    check_held("noise", operator.shape[0] * noise, y.dtype)
    check_flag("posterior", posterior)
    _check_real(operator, prior)
    _check_spectrum(sound_eigenvalues(operator))
    largest_slope = 1 - torch.finfo(y.dtype).eps ** 0.5
    iterates = [x]
    for _ in range(depth):
        r, variance = linear_step(operator, x, y, noise)
        estimate, slopes = prior.unchecked_denoise(r, variance)
        slope = slopes.mean(1, keepdim=True).clamp(max=largest_slope)  # (B, 1)
        x = (estimate - slope * r) / (1 - slope)
        iterates.append(estimate if posterior else x)
    return torch.stack(iterates)


def linear_step(
    operator: SensingOperator, x: Tensor, y: Tensor, noise: float
) -> tuple[Tensor, Tensor]:
    """The first half of a layer of `oamp`: r, (B, n), and the variance τ² of its error, (B, 1)."""
    spectrum = operator.eigenvalues
    residual = y - operator.unchecked_forward(x)
    excess = residual.square().sum(1, keepdim=True) - operator.shape[0] * noise
    gamma, lam, variance = _gains(spectrum, excess / spectrum.sum(), noise)
    return x + gamma * operator.unchecked_lmmse(residual, lam), variance


def oamp_state_evolution(
    eigenvalues: Tensor, *, noise: float, depth: int, prior: Prior
) -> tuple[Tensor, Tensor]:
    """The errors of OAMP for A with these eigenvalues of AᵀA: τ², (depth,), and v², (depth + 1,).

    With γ = n/Σ s/(s + λ) over the eigenvalues s and λ = σ²/v_k², τ_k² = v_k²(γ − 1) is the
    variance of the error before the denoiser of layer k + 1. That of one entry of x_{k+1} is
    v_{k+1}² = (1/mmse(τ_k²) − 1/τ_k²)⁻¹, and that of the posterior mean mmse(τ_k²). v_0² is the
    prior's second moment. Exact as n, m → ∞ with n/m fixed for right-rotationally invariant A
    (Rangan, Schniter and Fletcher 2019). The bounds of `oamp` apply. Both are float64.

    Args:
        eigenvalues: (n,), ≥ 0, not all 0.
        noise: σ² ≥ 0.
        prior: what draws x.
    """
    check_depth(depth)
    noise = check_positive("noise", noise, zero=True)
    check_kind("prior", prior, Prior)
    _check_spectrum(eigenvalues)
    spectrum = eigenvalues.double()
    largest_slope = 1 - torch.finfo(torch.float64).eps ** 0.5
    before, after = [], [prior.second_moment]
    for _ in range(depth):
        *_, variance = _gains(spectrum, spectrum.new_full((1, 1), after[-1]), noise)
        before.append(float(variance))
        mmse = prior.mmse(before[-1])
        after.append(mmse / (1 - min(mmse / before[-1], largest_slope)))
    return torch.tensor(before, dtype=torch.float64), torch.tensor(after, dtype=torch.float64)


def _gains(spectrum: Tensor, error: Tensor, noise: float) -> tuple[Tensor, Tensor, Tensor]:
    # γ, λ and τ², (B, 1) each, of the divergence-free linear MMSE step for errors v², (B, 1).
    number = torch.finfo(spectrum.dtype)
    largest = spectrum.max()
    error = torch.maximum(error, number.eps * noise / largest).clamp(min=number.tiny / number.eps)
    lam = torch.maximum(noise / error, number.eps * largest)
    kept = (spectrum / (spectrum + lam)).sum(1, keepdim=True)
    lost = (lam / (spectrum + lam)).sum(1, keepdim=True)  # n − kept, without cancellation
    variance = (error * lost / kept).clamp(number.tiny, number.max / 2)
    return len(spectrum) / kept, lam, variance


def _check_real(operator: SensingOperator, prior: Prior) -> None:
    if isinstance(operator, BatchOperator):
        raise ValueError("operator holds a matrix for each sample; one for all is needed")
    if operator.dtype.is_complex:
        raise ValueError(f"operator has dtype {operator.dtype}; message passing needs a real one")
    check_kind("prior", prior, Prior)
    if prior.n != operator.shape[1]:
        raise ValueError(f"prior has n = {prior.n}; n = {operator.shape[1]} as in A is needed")


def _check_spectrum(eigenvalues: Tensor) -> None:
    check_spectrum("eigenvalues", eigenvalues)
    if not (eigenvalues > 0).any():
        raise ValueError("eigenvalues are all 0: A = 0 measures nothing; one > 0 is needed")
