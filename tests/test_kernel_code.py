"""The check of the compiled training loop (``benchmarks/kernel.py --code``), which CI runs on the loop itself."""

import platform
from pathlib import Path

import kernel
import pytest
from kernel import CHECKED, LARGEST, TARGETS, Loop

from superposition.training import fused

# An outer loop, and within it a loop that spills a sum and one that does not.
NESTED = """
.L2:
\tvmovaps\t(%rdi), %zmm1
\tvfmadd231ps\t(%rsi), %zmm1, %zmm2
.L3:
\tvmovaps\t64(%rsp), %zmm0
\tvfmadd231ps\t(%rsi){1to16}, %zmm1, %zmm0
\tvmovaps\t%zmm0, 64(%rsp)
\tvfmadd231ps\t%zmm3, %zmm1, %zmm4
\tcmpq\t%rax, %rsi
\tjne\t.L3
\tje\t.L9
.L4:
\tvfnmadd132ps\t(%rbx), %zmm1, %zmm0
\tjl\t.L4
\taddq\t$64, %rdi
\tjne\t.L2
.L9:
\tret
"""


def test_loops_are_read_from_assembly() -> None:
    """Each innermost loop has its multiply-adds, and the number of those with an operand on the stack."""
    assert kernel.loops(NESTED, TARGETS["x86-64-v4"]) == [Loop(2, 2, 1), Loop(1, 0, 0)]


@pytest.mark.integration
@pytest.mark.skipif(platform.machine() != "x86_64", reason="compiles for x86-64 without a cross compiler")
def test_a_spilled_loop_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the unrolling of its register blocks, GCC keeps the sums of a loop in memory."""
    monkeypatch.setattr(kernel, "CHECKED", {name: size for name, size in CHECKED.items() if size is LARGEST})
    source = tmp_path / "fused.cpp"
    source.write_text(fused.SOURCE.read_text().replace('_Pragma("GCC unroll 32")', ""))
    _, wrong = kernel.check_code(["x86-64-v4"], source)
    assert any("n = 400" in line for line in wrong)
