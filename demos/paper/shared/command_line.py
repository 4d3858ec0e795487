"""Command lines of the experiments."""

import argparse


def make_parser(program: str, description: str | None) -> argparse.ArgumentParser:
    """Make the parser of an experiment's command line.

    Args:
        program: Its name below `demos.paper`.
        description: The docstring of its module: its first line is the program's, the rest is shown
            below the options.
    """
    first, _, rest = (description or "").partition("\n\n")
    return argparse.ArgumentParser(
        prog=f"python -m demos.paper.{program}",
        description=first,
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def check_options(
    parser: argparse.ArgumentParser, options: argparse.Namespace, **least: int
) -> None:
    """End the program in a line if a number is too small, or ``--output`` names a file.

    Args:
        parser: Of the command line.
        options: What it found, ``output`` among it.
        least: The smallest number that an option may have, by the option's name.
    """
    for name, number in least.items():
        if getattr(options, name) < number:
            flag = name.replace("_", "-")
            parser.error(f"--{flag} must be at least {number}, got {getattr(options, name)}")
    if options.output.exists() and not options.output.is_dir():
        parser.error(f"--output must be a folder, got the file {options.output}")
