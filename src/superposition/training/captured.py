"""The GPU engine: the step of ``autograd``, compiled into a few kernels and replayed as a CUDA graph.

A GPU computes a step of models this small in less time than it takes to launch the operations one by one. On a CPU the
step is compiled as well but not replayed, so that tests can compare it with ``autograd`` on any machine.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from superposition.training.autograd import Autograd
from superposition.training.engine import BETA1, BETA2, EPSILON, Block, TrainingConfig, moments

# Number of block shapes that one process may compile. PyTorch's own limit guards against endless recompilation.
SHAPES = 200
# Largest number of elements in one tensor during evaluation.
GPU_EVALUATION_CHUNK = 2**24
# Rows of a multiple of this many samples are aligned for fast reads on a GPU.
ALIGNED = 32
# The compiler writes out sums of fewer terms than this, so that they fuse with the operations around them.
UNROLLED = 33
# Number of calls before one is recorded: the first one compiles and reserves memory.
WARM_UP = 3


class Captured(Autograd):
    """The GPU :class:`superposition.training.engine.Engine`. Blocks of one shape share a compilation."""

    def __init__(self, block: Block, config: TrainingConfig, parameters: Float32[Tensor, "instance size"]) -> None:
        super().__init__(block, config, parameters)
        self.parameters = self.parameters.detach()  # torch.func computes the gradient, without a tape.
        self._recorded = parameters.is_cuda
        self._mean, self._square = (torch.zeros_like(parameters) for _ in range(2))
        # A replayed graph sees the numbers of the step that was recorded. So everything that depends on the step is a
        # table on the device, indexed by a counter that is on the device, too.
        self._step = torch.zeros(1, dtype=torch.int64, device=parameters.device)
        number, rate = np.arange(1, config.steps + 1), config.rates(0, config.steps)
        self._left_by_decay = self._on_device(1 - rate * config.weight_decay)
        self._unbiased_rate = self._on_device(rate / (1 - BETA1**number))
        self._inverse_root = self._on_device((1 - BETA2**number) ** -0.5)
        # Separate kernels draw the random numbers: fused with the rest, every instance of a stream might draw them.
        self._drawn = self.draw(0)
        draw, step = _compiled(self._draw_next), _compiled(self._one_step)

        def take() -> None:
            draw()
            step()

        self._take: Callable[[], None] = take

    def _on_device(self, values: np.ndarray) -> Float32[Tensor, " step"]:
        return torch.from_numpy(values.astype(np.float32)).to(self.parameters.device)

    def _draw_next(self) -> None:
        self._drawn.copy_(self.draw(self._step))

    def _one_step(self) -> None:
        """Compute the gradient and take a step of AdamW in place."""
        gradient = torch.func.grad(lambda parameters: self.batch_loss(parameters, self._drawn).sum())(self.parameters)
        self._mean.lerp_(gradient, 1 - BETA1)
        self._square.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
        spread = self._square.sqrt() * self._inverse_root.index_select(0, self._step) + EPSILON
        self.parameters.mul_(self._left_by_decay.index_select(0, self._step))
        self.parameters.sub_(self._unbiased_rate.index_select(0, self._step) * self._mean / spread)
        self._step.add_(1)

    def advance(self, start: int, stop: int) -> None:
        for step in range(start, stop):
            if step == WARM_UP and self._recorded:
                self._take = _recorded(self._take)
            self._take()

    @torch.no_grad()
    def losses(self, samples: int, coactive: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Compute the same as ``Autograd.losses`` in chunks of one size, so that they share a compilation.

        The last chunk may reach past the end; samples beyond it count as zero.
        """
        chunk = ALIGNED * max(1, GPU_EVALUATION_CHUNK // (ALIGNED * len(self.block) * self.rows))
        first, end = (torch.tensor([i], device=self.parameters.device) for i in (0, samples))
        total = torch.zeros(len(self.block), dtype=torch.float64, device=self.parameters.device)
        square = torch.zeros_like(total)

        def add_chunk() -> None:
            loss = self.drawn_losses(first, chunk, coactive)
            loss = torch.where(first + torch.arange(chunk, device=loss.device) < end, loss, 0.0)
            total.add_(loss.sum(-1))
            square.add_((loss**2).sum(-1))
            first.add_(chunk)

        add = _compiled(add_chunk)
        for number in range(-(-samples // chunk)):
            if number == WARM_UP and self._recorded:
                add = _recorded(add)
            add()
        return moments(total.cpu().numpy(), square.cpu().numpy(), samples)


def _compiled(work: Callable[[], None]) -> Callable[[], None]:
    """Compile for these shapes alone and without autotuning, whose measurements would decide on results."""
    torch._dynamo.config.recompile_limit = SHAPES
    torch._inductor.config.deterministic = True
    # PyTorch 2.11 handles padded rows wrongly: for batches of 300 it wrote x in one order of axes and read it in
    # another.
    torch._inductor.config.comprehensive_padding = False
    torch._inductor.config.unroll_reductions_threshold = UNROLLED
    whole: dict[str, Any] = {"fullgraph": True, "dynamic": False}
    return torch.compile(work, **whole)


def _recorded(work: Callable[[], None]) -> Callable[[], None]:
    """Record some work as a CUDA graph, without doing it; return a function that does it in one launch."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph.replay
