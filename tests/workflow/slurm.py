"""Start a SLURM on this machine with two nodes, which claim to have four cores and a GPU each."""

import getpass
import os
import random
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
from tests.workflow.project import PATIENCE, wait_for

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "setpriv")
NODES = ("node0", "node1")
CORES, MEMORY = 4, 16_000  # Properties of a node that SLURM does not check.

# Limits are long, so that nothing depends on how busy the machine is. A job that loses its node starts again after the
# time in which credentials expire.
CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=15
StateSaveLocation={folder}
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
MpiDefault=none
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=1,sched_min_interval=1,batch_sched_delay=0,bf_interval=1
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SlurmdParameters=config_overrides
KillWait=1
MessageTimeout=100
TCPTimeout=60
BatchStartTimeout=600
UnkillableStepTimeout=600
SlurmdTimeout=0
GresTypes=gpu
EnforcePartLimits={limits}
NodeName=DEFAULT CPUs={cores} RealMemory={memory} Gres=gpu:1
NodeName=node0 NodeAddr=127.0.0.1 NodeHostName={host} Port={ports[1]}
NodeName=node1 NodeAddr=127.0.0.1 NodeHostName={host} Port={ports[2]}
PartitionName=all Nodes=ALL Default=YES MaxTime=1-0
"""


def missing() -> list[str]:
    """Return the programs that are not installed here."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    return [name for name in PROGRAMS if not shutil.which(name, path=path)]


class Slurm:
    """A running SLURM. Only commands with its ``environment`` find it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = free_ports(1 + len(NODES))
        self.configure("NO")
        commands = folder / "bin"
        # Snakemake's plugin takes SLURM_CONF away from srun, which then looks in /etc. So it gets it back.
        (commands / "srun").parent.mkdir()
        (commands / "srun").write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {shutil.which("srun")} "$@"\n')
        (commands / "srun").chmod(0o755)
        self.environment = os.environ | {
            "SLURM_CONF": f"{folder}/slurm.conf",
            "PATH": f"{commands}:{os.environ['PATH']}:/usr/sbin:/sbin",
        }

    def __call__(self, *words: str) -> str:
        """Run a command of SLURM and return its output."""
        return subprocess.run(
            words, env=self.environment, check=True, capture_output=True, text=True, timeout=PATIENCE
        ).stdout.strip()

    def kill(self, job: str | None = None) -> None:
        """Kill the processes of a job, or those of all jobs, behind SLURM's back."""
        for process in psutil.process_iter():
            with suppress(psutil.Error):  # It may have ended, or belong to another user.
                its = process.environ()
                ours = its.get("SLURM_CONF") == self.environment["SLURM_CONF"] and "SLURM_JOB_ID" in its
                if ours and job in (None, its["SLURM_JOB_ID"]):
                    process.kill()

    def states(self) -> list[str]:
        return self("sinfo", "--noheader", "--Node", "--format=%t").split()

    def configure(self, limits: str) -> None:
        """Write the configuration."""
        names = {"host": socket.gethostname().partition(".")[0], "user": getpass.getuser(), "limits": limits}
        text = CONF.format(folder=self.folder, ports=self.ports, cores=CORES, memory=MEMORY, **names)
        (self.folder / "slurm.conf").write_text(text)

    def enforce(self, limits: str) -> None:
        """Let SLURM refuse a job that its partition cannot run (``ALL``), or keep it waiting for ever (``NO``)."""
        self.configure(limits)
        self("scontrol", "reconfigure")

    def heal(self) -> None:
        """Take nodes that are drained or down back into service."""
        for node, state in zip(NODES, self.states(), strict=True):
            if state.startswith("d"):
                self("scontrol", "update", f"nodename={node}", "state=resume")
        wait_for(lambda: not any(state.startswith("d") for state in self.states()), "nodes in service")


def free_ports(count: int) -> list[int]:
    """Return ports that nothing listens on, so that several SLURMs may run side by side.

    They are below those that the system gives to connections, one of which could take a port before SLURM does.
    """
    found: list[int] = []
    with ExitStack() as stack:
        for port in random.SystemRandom().sample(range(10_000, 32_000), 1000):
            with suppress(OSError):  # Something listens there.
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
                found.append(port)
            if len(found) == count:
                return found
    raise AssertionError("no free ports")


@contextmanager
def running(folder: Path) -> Iterator[Slurm]:
    """Start a SLURM, and stop it in the end with all its jobs."""
    slurm = Slurm(folder)
    (folder / "gres.conf").write_text("Name=gpu File=/dev/null\n")
    key = folder / "munge.key"
    key.touch(0o600)
    key.write_bytes(os.urandom(128))
    for node in NODES:
        (folder / node).mkdir()
    munge = {f"--{name}": f"{folder}/munge.{name}" for name in ("socket", "pid-file", "log-file", "seed-file")}
    daemons = [
        ["munged", "--foreground", "--force", f"--key-file={key}", *(f"{k}={v}" for k, v in munge.items())],
        ["slurmctld", "-D", "-c"],
        *(["slurmd", "-D", "-N", node] for node in NODES),
    ]
    with ExitStack() as stack:
        log = stack.enter_context((folder / "log").open("w"))
        started: list[subprocess.Popen[bytes]] = []

        def ready() -> bool:
            assert not [daemon for daemon in started if daemon.poll() is not None], (folder / "log").read_text()
            asked = subprocess.run(
                ["sinfo", "--noheader", "--Node", "--format=%t"], env=slurm.environment, capture_output=True, text=True
            )
            return asked.stdout.split() == ["idle"] * len(NODES)

        for words in daemons:
            # It ends with this process, even if that is killed.
            command = ["setpriv", "--pdeathsig=TERM", *words]
            daemon = stack.enter_context(
                subprocess.Popen(command, env=slurm.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
            )
            started.append(daemon)
            stack.callback(daemon.terminate)
            if words[0] == "munged":
                wait_for((folder / "munge.socket").exists, "munge")
        wait_for(ready, "idle nodes")
        stack.callback(slurm.kill)  # Without cgroups SLURM loses track of processes whose parents were killed.
        stack.callback(lambda: wait_for(lambda: not slurm("squeue", "--noheader"), "end of jobs"))
        stack.callback(lambda: slurm("scancel", "--full", "--user", getpass.getuser()))
        yield slurm
