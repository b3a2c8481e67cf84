"""The options of ``download``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from stages.download.amazon import DEFAULT_KIND, KINDS, NAME
from stages.frame.options import Option, Options

DATA = "Data"
TRANSFER = "Transfer"
DATASETS = (NAME,)
BASE_URL = "https://mcauleylab.ucsd.edu/public_datasets/data/amazon_2023"


@dataclass(frozen=True)
class DownloadOptions(Options):
    """What is fetched, from where, to where; see :func:`stages.download.download`."""

    dataset: Annotated[
        str,
        Option("The data set: Amazon Reviews 2023.", DATA, choices=DATASETS, metavar="amazon-2023", argument=True),
    ]
    category: Annotated[
        str,
        Option("Its part, such as Musical_Instruments or Video_Games.", DATA, metavar="CATEGORY", argument=True),
    ]
    kind: Annotated[
        str,
        Option(
            "The 5-core files: leave-one-out or split by time, with or without histories (w_his), or unsplit.",
            DATA,
            choices=tuple(KINDS),
        ),
    ] = DEFAULT_KIND
    to: Annotated[
        Path | None,
        Option(
            "Folder for the files; made when missing.",
            DATA,
            metavar="FOLDER",
            files="folder",
            unset="data/amazon-2023/CATEGORY, of other kinds data/amazon-2023/CATEGORY-KIND",
        ),
    ] = None
    base_url: Annotated[
        str, Option("Folder of the data set on its server, or on a mirror with the same folders.", DATA, metavar="URL")
    ] = BASE_URL
    max_size: Annotated[
        float, Option("Most gigabytes that the files may have together.", TRANSFER, above=0, metavar="GB")
    ] = 20.0
    retries: Annotated[
        int,
        Option(
            "Further attempts per file when the server is busy or the connection breaks.",
            TRANSFER,
            min=0,
            limit=1000,
            metavar="N",
        ),
    ] = 5
    timeout: Annotated[
        float, Option("Seconds that the server may be silent.", TRANSFER, above=0, limit=86_400, metavar="S")
    ] = 60.0
