"""The command line: `keras-vae`. It imports TensorFlow only once a subcommand has been understood."""

import argparse
import importlib
import sys
from collections.abc import Sequence

from keras_vae import __version__, arguments, quiet

# Commands that need no TensorFlow.
_TEXT_ALONE = ("models",)
# A user's mistake, or a fault of the machine that a user can mend: one line, no traceback.
_PLAIN_ERRORS = (ValueError, OSError)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit code: 0 for success, 1 for an error, 2 for a wrong call, 130 after Ctrl-C.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["serve"]:
        return _serve(words[1:])
    options = parser().parse_args(words)
    try:
        if options.command not in _TEXT_ALONE:
            quiet.import_tensorflow()
        # Each subcommand is a module of keras_vae.commands with a function `run`.
        importlib.import_module(f"keras_vae.commands.{options.command}").run(options)
    except KeyboardInterrupt:
        print(f"\nkeras-vae {options.command}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 1
    except _PLAIN_ERRORS as error:
        print(f"keras-vae {options.command}: error: {error}", file=sys.stderr)
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    """Build the parser; each subcommand's help shows how it is used."""
    top = argparse.ArgumentParser(
        prog="keras-vae",
        description="Train, measure, export and serve variational autoencoders.",
        epilog="A first run: keras-vae demo. Then: keras-vae train --help",
    )
    top.add_argument("--version", action="version", version=f"keras-vae {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (summary, example, add_arguments) in arguments.COMMANDS.items():
        command = commands.add_parser(
            name,
            help=summary,
            description=summary + ".",
            epilog=f"example:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        add_arguments(command)
    return top


def _serve(words: list[str]) -> int:
    # The server's flags are TensorFlow Serving's, so its own parser reads them.
    from serving.main import main as serve

    return serve(words, prog="keras-vae serve")


if __name__ == "__main__":
    sys.exit(main())
