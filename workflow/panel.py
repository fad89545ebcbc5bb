"""The panel at a terminal: the plugin ``rich``, extended by running jobs, the time left, and failures in one line."""

import atexit
import os
import re
import sys
import termios
import threading
from datetime import timedelta
from logging import LogRecord
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.text import Text
from snakemake_logger_plugin_rich.event_handler import EventHandler
from snakemake_logger_plugin_rich.events import JobError, JobFinished, JobInfo
from snakemake_logger_plugin_rich.handler import RichLogHandler

from superposition.pipeline import PANEL

# The text before a training bar, which begins with the wildcards of the job, and the time left. There is no room for
# the bar itself and the speed.
BAR = re.compile(r"(?P<says>(?P<name>[\w ]+?): .*\d%)\|.*\|(?P<left>[^,]*).*")


def improve_panel(handlers: list[Any]) -> None:
    """Extend the panel of the plugin, if it is among the log handlers, by the events and the column of this module."""
    for handler in handlers:
        if isinstance(handler, RichLogHandler):
            handler.event_handler = _Events(handler)
            if PANEL not in os.environ:  # Jobs inherit the environment, and most of them run Snakemake again.
                os.environ.update({PANEL: "1", "TQDM_MININTERVAL": "0.5"})
                _read_jobs(handler.event_handler)


def _read_jobs(events: "_Events") -> None:
    """Redirect the output of this process and its jobs to the panel, through a terminal of its own.

    Otherwise jobs that train at the same time would draw their bars over each other and over the panel.
    """
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (24, 120))  # No bar is drawn on a terminal without a size.
    shown = os.dup(2)
    events.console.file = os.fdopen(shown, "w")
    os.dup2(slave, 2)
    os.close(slave)
    reader = threading.Thread(target=show_output, args=(master, events), daemon=True)
    reader.start()

    def restore() -> None:
        sys.stderr.flush()
        os.dup2(shown, 2)  # This closes the terminal unless a job still has it.
        reader.join(timeout=1)

    atexit.register(restore)


def show_output(master: int, events: "_Events") -> None:
    """Keep the last bar of every training, and print all other lines above the panel."""
    begun = ""
    while True:
        try:
            said = os.read(master, 65536).decode(errors="replace")
        except OSError:  # No process has the terminal any more.
            said = ""
        if not said:
            return
        *lines, begun = re.split(r"[\r\n]+", begun + said)
        for line in [*lines, begun]:
            if bar := BAR.fullmatch(line.strip()):
                events.bars[bar["name"]] = bar["says"] + bar["left"]
        for line in lines:
            if line.strip() and not BAR.fullmatch(line.strip()):
                events.console.print(Text(line.rstrip()), soft_wrap=True)


class _Events(EventHandler):
    """Update the panel when a job starts, ends or fails."""

    def __init__(self, handler: RichLogHandler) -> None:
        super().__init__(
            handler.console,
            handler.progress,
            handler.live_display,
            dryrun=handler.settings.dryrun,
            printshellcmds=handler.settings.printshellcmds,
            verbose=handler.settings.verbose,
        )
        self.running: dict[int, tuple[str, str]] = {}
        self.bars: dict[str, str] = {}
        spinner = SpinnerColumn(finished_text="[dim green]✓")
        name, bar = TextColumn("[bold blue]{task.description}"), BarColumn(20, finished_style="dim green")
        self.progress.columns = (spinner, name, bar, MofNCompleteColumn(), _State(self))

    def handle(self, record: LogRecord, **kwargs: Any) -> None:
        """Process a record, except the command line of a script that failed."""
        if "CalledProcessError" not in record.getMessage():
            super().handle(record, **kwargs)

    def handle_job_info(self, event_data: JobInfo, **kwargs: Any) -> None:
        """Record a job that has started."""
        self.running[event_data.jobid] = event_data.rule_name, " ".join(map(str, (event_data.wildcards or {}).values()))
        super().handle_job_info(event_data, **kwargs)

    def handle_job_finished(self, event_data: JobFinished, **kwargs: Any) -> None:
        """Record a job that has ended."""
        self.bars.pop(self.running.pop(event_data.job_id, ("", ""))[1], None)
        super().handle_job_finished(event_data, **kwargs)

    def handle_job_error(self, event_data: JobError, **kwargs: Any) -> None:
        """Print in one line what failed, why, and where its log is."""
        rule, name = self.running.pop(event_data.jobid, ("a job", ""))
        logs = self.jobs_info.get(event_data.jobid, {}).get("log") or []
        said = [line for path in logs if Path(path).exists() for line in Path(path).read_text().splitlines()]
        why = said[-1].removeprefix("error: ").removeprefix(f"{name}: ") if said else "it left no message"
        failed = f"✗ {rule} {name}: {why} (log: {', '.join(map(str, logs)) or 'none'})"
        self.console.print(Text(failed, style="red"), soft_wrap=True)


class _State(ProgressColumn):
    """Show in the last column the running jobs of a rule, with a line for every training that has a bar.

    The row of all jobs has the time so far and the time left.
    """

    def __init__(self, events: _Events) -> None:
        super().__init__()
        self.events = events

    def render(self, task: Task) -> Text:
        """Render the state of one row."""
        rows = self.events.progress_display.rule_tasks
        (rule,) = (name for name, row in rows.items() if row == task.id)
        if rule != "Total Progress":
            names = [name for of, name in self.events.running.values() if of == rule]
            bars = [self.events.bars[name] for name in names if name in self.events.bars]
            others = ", ".join(name for name in names if name not in self.events.bars)
            return Text("\n".join([*bars, *filter(None, [others])]), "dim")
        so_far = task.elapsed or 0
        left = f", about {_duration(so_far / task.completed * task.remaining)} left" if task.completed else ""
        return Text(f"{_duration(so_far)}{left}")


def _duration(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
