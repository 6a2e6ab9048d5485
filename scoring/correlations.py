"""Correlations of a track's signals over short lags: all that the filters and energies of BSSEval are made of.

The signals are p channels of references, put on the 16-bit grid, and p of errors, the estimates less these.
All correlations of a span come from short transforms of its blocks, multiplied bin by bin, summed and
transformed back once, so that memory does not grow with the track.

Sources
-------
A. V. Oppenheim and R. W. Schafer, Discrete-Time Signal Processing, section 8.7 (overlap-save).
"""

from typing import Any, NamedTuple

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

GRID = 32768  # 16-bit steps in full scale
TRANSFORM = 2048  # samples a transform, at least
BLOCKS_AT_ONCE = 32  # a second of 44.1 kHz fits

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]
Span = tuple[int, int]
"""First and past-the-last sample."""


class Statistics(NamedTuple):
    """Of a span: products (p, 2p, filters), energies (2p,).

    products[i, j, k] is the sum over n of x_i(n) y_j(n + k), both in the span: x references, y all signals.
    """

    products: Floats
    energies: Floats


class Track:
    """References and estimates (n_stems, n_samples, n_channels), read in cuts and never copied whole.

    `device` names a torch device to transform on; None is scipy on the processor.
    """

    def __init__(
        self, references: NDArray[Any], estimates: NDArray[Any], filters: int, device: str | None = None
    ) -> None:
        self.references = references
        self.estimates = estimates
        self.filters = filters
        self.device = device
        self.n_references = len(references) * references.shape[2]
        self.off_grid = False
        """Whether a reference read so far had to be rounded."""

    def statistics(self, span: Span) -> Statistics:
        size = max(TRANSFORM, scipy.fft.next_fast_len(4 * self.filters, real=True))
        hop = size - self.filters + 1
        start, stop = span
        spectrum: Any = 0
        energies = np.zeros(2 * self.n_references)
        for first in range(start, stop, BLOCKS_AT_ONCE * hop):
            last = min(first + BLOCKS_AT_ONCE * hop, stop)
            n_blocks = -(-(last - first) // hop)
            cut = self.read(first, min(last + self.filters - 1, stop), n_blocks * hop + self.filters - 1)
            blocks = sliding_window_view(cut, size, axis=1)[:, ::hop]
            spectrum = spectrum + self._cross_spectrum(blocks[: self.n_references, :, :hop], blocks)
            new = cut[:, : last - first]
            energies += np.einsum("cn,cn->c", new, new)
        return Statistics(self._lags(spectrum, size), energies)

    def products_across(self, boundaries: list[int]) -> Floats:
        """Like `Statistics.products`, of x before and y after a boundary, summed over boundaries."""
        reach = self.filters - 1
        size = scipy.fft.next_fast_len(2 * self.filters, real=True)
        cuts = np.stack([self.read(at - reach, at + reach, size) for at in boundaries], axis=1)
        x = cuts[: self.n_references, :, :reach].copy()
        cuts[:, :, :reach] = 0
        return self._lags(self._cross_spectrum(x, cuts), size)

    def read(self, start: int, stop: int, length: int) -> Floats:
        """All signals from `start` to `stop` or the track's end, then zeros, (2p, length)."""
        n_stems, n_samples, n_channels = self.references.shape
        stop = min(stop, n_samples)
        signals = np.zeros((2, n_stems, n_channels, length))
        for stems, out in zip((self.references, self.estimates), signals, strict=True):
            out[..., : stop - start] = stems[:, start:stop].transpose(0, 2, 1)
        references, errors = signals
        references *= GRID
        rounded = np.rint(references)
        if not np.array_equal(rounded, references):
            self.off_grid = True
        np.divide(rounded, GRID, out=references)
        errors -= references
        return signals.reshape(-1, length)

    def silent(self, span: Span, *, estimates: bool = True) -> bool:
        """As museval tests it: whether the channels of any reference, or estimate, sum to zero throughout."""
        theirs = self.estimates if estimates else ()
        return not (
            all(sounds(stem, span, rounded=True) for stem in self.references)
            and all(sounds(stem, span) for stem in theirs)
        )

    def _cross_spectrum(self, x: Floats, y: Floats) -> Any:
        return cross_spectrum(x, y) if self.device is None else cross_spectrum_by_torch(x, y, self.device)

    def _lags(self, spectrum: Any, size: int) -> Floats:
        """The inverse transform, cut to the filters' length."""
        lags = scipy.fft.irfft(np.asarray(spectrum.cpu() if self.device else spectrum), size)
        return np.array(lags[:, :, : self.filters])


def to_16_bit_grid(stems: NDArray[Any]) -> NDArray[Any]:
    """The nearest values that 16-bit audio can hold; dtype and shape are kept."""
    return np.asarray(np.rint(stems * GRID) / GRID)


def cross_spectrum(x: Floats, y: Floats) -> Complexes:
    """The sum over blocks of conj(X) Y, (p, q, size // 2 + 1), for signals x, zeros after them, and y.

    These are (p, n_blocks, up to size) and (q, n_blocks, size). Spectra are laid out by block, bin and channel, with
    real and imaginary parts as channels of their own, so that BLAS multiplies them bin by bin where they lie.
    """
    p, q, size = len(x), len(y), y.shape[2]
    left = scipy.fft.rfft(x.transpose(1, 2, 0), size, axis=1).view(np.float64)
    right = scipy.fft.rfft(y.transpose(1, 2, 0), axis=1).view(np.float64)
    parts = (left.transpose(1, 2, 0) @ right.transpose(1, 0, 2)).reshape(-1, p, 2, q, 2)
    result = np.empty((len(parts), p, q), dtype=np.complex128)
    np.add(parts[:, :, 0, :, 0], parts[:, :, 1, :, 1], out=result.real)
    np.subtract(parts[:, :, 0, :, 1], parts[:, :, 1, :, 0], out=result.imag)
    return result.transpose(1, 2, 0)


def cross_spectrum_by_torch(x: Floats, y: Floats, device: str) -> Any:
    """`cross_spectrum` on a torch device, as a tensor of complex128."""
    import torch  # noqa: PLC0415 - it takes a second to load, and few need it

    size = y.shape[2]
    left = torch.fft.rfft(torch.tensor(x, device=device), size)
    right = torch.fft.rfft(torch.tensor(y, device=device), size)
    return torch.einsum("ibf,jbf->ijf", left.conj(), right)


def sounds(stem: NDArray[Any], span: Span, *, rounded: bool = False) -> bool:
    """Whether the channels' sum is anywhere not zero; most often the first piece tells."""
    start, stop = span
    pieces = (stem[at : min(at + TRANSFORM, stop)] for at in range(start, stop, TRANSFORM))
    return any(
        piece.any() and (to_16_bit_grid(piece) if rounded else piece).sum(axis=1).any() for piece in pieces
    )
