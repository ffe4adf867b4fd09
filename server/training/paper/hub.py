"""Where the weights of the published encoders are."""

from pathlib import Path

from ...errors import LSFError
from .published import WEIGHT_FILES

FILES = ["config.json", "*.safetensors", "*.bin", "*.pt"]  # of a repository; other formats are not read


def backbone_source(id_or_folder: str | Path) -> Path:
    """Return the folder or file of a published encoder.

    A repository of the Hugging Face Hub that was fetched before is used as it is, without a network. Otherwise it is
    fetched, but only the files that can be read without running code.

    Args:
        id_or_folder: A folder, a file of weights, or the name of a repository such as "facebook/hubert-base-ls960".

    Returns:
        Its path.

    Raises:
        LSFError: "bad_backbone" if there is no such folder, and no such repository can be reached.
    """
    path = Path(id_or_folder)
    name = str(id_or_folder)
    if path.exists():
        return path
    if path.is_absolute() or name.count("/") != 1 or name.startswith((".", "~")):
        raise LSFError("bad_backbone", f'There is no folder or file "{name}": give that of the downloaded encoder.')
    elsewhere = f"Download it where there is a network (hf download {name}), copy the folder, and give its path."
    try:
        import huggingface_hub
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
    except ModuleNotFoundError as error:
        raise LSFError(
            "bad_backbone", f'There is no folder "{name}", and huggingface_hub is not installed. {elsewhere}'
        ) from error
    try:
        fetched = Path(huggingface_hub.snapshot_download(name, allow_patterns=FILES, local_files_only=True))
        if any((fetched / weights).is_file() for weights in WEIGHT_FILES):  # else the download was interrupted
            return fetched
    except HFValidationError as error:
        raise LSFError("bad_backbone", f'"{name}" is neither a folder nor the name of a repository.') from error
    except LocalEntryNotFoundError:
        pass
    try:
        return Path(huggingface_hub.snapshot_download(name, allow_patterns=FILES))
    except Exception as error:  # no network, no such repository, no permission: the hub raises many kinds
        raise LSFError(
            "bad_backbone", f'"{name}" is not on this computer, and it could not be fetched from the Hub. {elsewhere}'
        ) from error
