"""The reader of config.json for commands that take one, or the folder of a checkpoint."""

from pathlib import Path

from ..errors import LSFError
from ..model import LSFConfig


def read_config_file(path: Path, advice: str) -> LSFConfig:
    """Read a config.json.

    Args:
        path: The file.
        advice: What to give instead, as the end of the sentence: "give the folder of a checkpoint".

    Raises:
        LSFError: "no_file" if it is not there or not text, "bad_checkpoint" if it is no configuration.
    """
    try:
        return LSFConfig.from_json(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise LSFError("no_file", f'There is no file "{path}": {advice}.') from error
    except (OSError, UnicodeDecodeError, RecursionError) as error:  # a folder, a binary file, brackets in brackets
        raise LSFError("no_file", f'"{path}" cannot be read as a config.json: {advice}.') from error
