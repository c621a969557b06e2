# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measuring alternatives in turns: every round runs each of them once, in random order, so that
whatever else the machine does meanwhile falls on all of them alike."""

import platform
import random
import statistics


def cpu_name():
    with open("/proc/cpuinfo") as info:
        names = [line.partition(":")[2].strip() for line in info if line.startswith("model name")]
    return names[0] if names else platform.processor()


def in_turns(alternatives, rounds, seed=0):
    """Seconds of each round by name; an alternative is a call that answers its own seconds."""
    order = random.Random(seed)
    names = list(alternatives)
    seconds = {name: [] for name in names}
    for _ in range(rounds):
        order.shuffle(names)
        for name in names:
            seconds[name].append(alternatives[name]())
    return seconds


def print_table(seconds, reference):
    """Medians and minima in milliseconds, and ratios of both to those of `reference`."""
    def figures(name):
        return statistics.median(seconds[name]), min(seconds[name])

    base = figures(reference)
    print(f"  {'':28} {'median':>10} {'least':>10} {'ratio':>7} {'of least':>8}")
    for name in seconds:
        median, least = figures(name)
        print(
            f"  {name:28} {median * 1e3:7.1f} ms {least * 1e3:7.1f} ms"
            f" {median / base[0]:7.2f} {least / base[1]:8.2f}"
        )
