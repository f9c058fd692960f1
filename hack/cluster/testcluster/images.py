"""Images for the nodes: the cluster's own, and those of buildah's storage."""

import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from testcluster import archive, binaries, dns
from testcluster.archive import ProgramImage
from testcluster.failures import ClusterError, CommandFailed
from testcluster.node import ctr
from testcluster.node_files import POD_IMAGE, NodeFiles
from testcluster.tools import run


def import_own(files: NodeFiles) -> None:
    """Bring a node the image that holds pods open and the DNS's."""
    own = [
        ProgramImage(POD_IMAGE, binaries.location("pod")),
        ProgramImage(dns.IMAGE, binaries.location("coredns")),
    ]
    with tempfile.TemporaryDirectory(dir=files.folder) as folder:
        file = Path(folder) / "images.tar"
        archive.write(own, file)
        run(ctr(files, "images", "import", str(file)))


def load(image: str, nodes: Sequence[NodeFiles]) -> None:
    """Bring an image from buildah's storage to those nodes that do not have it.

    Raises:
        ClusterError: buildah is not installed, or knows no image of that name.
    """
    digest = _digest(image)
    lacking = [files for files in nodes if not _has(files, image, digest)]
    if not lacking:
        return
    with tempfile.TemporaryDirectory(dir=lacking[0].folder) as folder:
        # A `dir:` is the one place where buildah does not compress, which costs more time on one
        # machine than it saves, and keeps the digest that the image is known by.
        _buildah("push", "--quiet", "--disable-compression", image, f"dir:{folder}")
        for files in lacking:
            _import(files, Path(folder), image)


def _import(files: NodeFiles, folder: Path, image: str) -> None:
    known = set(run(ctr(files, "content", "list", "--quiet")).split())
    command = ctr(files, "images", "import", "-")
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as importing:
        assert importing.stdin is not None and importing.stderr is not None
        with contextlib.suppress(BrokenPipeError):
            archive.stream(folder, image, known, importing.stdin)
            importing.stdin.close()
        said = importing.stderr.read().decode()
    if importing.returncode != 0:
        raise CommandFailed(command, importing.returncode, said)


def _digest(image: str) -> str:
    """The digest of an image's manifest, which the push leaves as it is."""
    try:
        found = json.loads(_buildah("images", "--json", image))
    except CommandFailed as error:
        raise ClusterError(f"buildah has no image {image}: {error.output.strip()}") from error
    return str(found[0]["digest"])


def _has(files: NodeFiles, image: str, digest: str) -> bool:
    rows = (line.split() for line in run(ctr(files, "images", "list")).splitlines())
    return [image, digest] in [[row[0], row[2]] for row in rows if len(row) > 2]


def _buildah(*words: str) -> str:
    # Where the driver is not chosen, overlay; buildah would otherwise fall back to copying layers.
    environment = {"STORAGE_DRIVER": "overlay", **os.environ}
    command = ["buildah", *words]
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, env=environment, check=False
        )
    except FileNotFoundError as error:
        raise ClusterError("buildah is missing: apt-get install buildah") from error
    if ended.returncode != 0:
        raise CommandFailed(command, ended.returncode, ended.stderr)
    return ended.stdout
