"""`make bench`: what docs/performance.md reports, part after part, or the parts that are named.

    python -m bench [whole] [crops] [decoding] [peer] [overload]
                    [galleries] [large] [enrolment] [feed] [hostile]

Each part measures in turns with its own limit, prints ratios and writes them into bench/results. Half an hour
in all; other work on the machine makes it worth less. `bench.million` and `bench.endurance`, which takes an
hour, are run by themselves.
"""

import subprocess
import sys

PARTS = (
    *("whole", "crops", "decoding", "peer", "overload"),
    *("galleries", "large", "enrolment", "feed", "hostile"),
)


def main(*wanted: str) -> int:
    if strangers := set(wanted) - set(PARTS):
        print(f"there is no {', '.join(sorted(strangers))}", __doc__, sep="\n", file=sys.stderr)
        return 2
    codes = [run(part) for part in wanted or PARTS]
    return max(codes)


def run(part: str) -> int:
    """Its exit code. Each has a process of its own: what one has warmed or set counts for no other."""
    return subprocess.run([sys.executable, "-m", f"bench.{part}"], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
