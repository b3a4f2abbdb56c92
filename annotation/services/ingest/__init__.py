"""Dialogues in: from a manifest folder or an uploaded archive to rows that were made whole, or not at all."""

from annotation.services.ingest.run import run_import
from annotation.services.ingest.start import (
    check_folder,
    is_known,
    start_folder_import,
    start_import,
    store_folder_import,
)

__all__ = ["check_folder", "is_known", "run_import", "start_folder_import", "start_import", "store_folder_import"]
