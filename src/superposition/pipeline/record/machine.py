"""The machine that a job or a measurement runs on."""

import os
import platform
from pathlib import Path


def processor(cpuinfo: str) -> str:
    """Name the processor that ``/proc/cpuinfo`` describes; return an empty string if it has no name there.

    Some names are only "AMD EPYC", so the family, the model and the widest vector instructions are added.
    """
    first = cpuinfo.split("\n\n")[0]
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in first.splitlines())}
    if not (name := fields.get("model name", "")):
        return ""
    numbers = [f"{word} {fields[key]}" for word, key in (("family", "cpu family"), ("model", "model")) if key in fields]
    flags = fields.get("flags", "").split()
    vectors = [label for flag, label in (("avx512f", "AVX-512"), ("avx2", "AVX2")) if flag in flags]
    details = ", ".join(numbers + vectors[:1])
    return f"{name} ({details})" if details else name


def machine() -> str:
    """Return the processor, the number of its cores, and the operating system."""
    info = Path("/proc/cpuinfo")
    name = (processor(info.read_text()) if info.exists() else "") or platform.processor() or "unknown processor"
    return f"{name}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"
