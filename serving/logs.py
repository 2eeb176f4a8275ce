"""One line a happening, on standard error, for people and machines: time, level, logger, event."""

import logging
import sys

import structlog


def set_up(level: int = logging.INFO) -> None:
    """Sends the whole process's logging through one format. Call it once, in `__main__`."""
    stamps: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    format_ = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=stamps,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=["time", "level", "logger", "event"]),
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(format_)
    logging.basicConfig(level=level, handlers=[handler], force=True)
