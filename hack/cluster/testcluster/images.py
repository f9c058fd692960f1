"""Images for the nodes: the cluster's own, and those of buildah's storage."""

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
    wanted = _id_of(image)
    lacking = [files for files in nodes if not _has(files, image, wanted)]
    if not lacking:
        return
    with tempfile.TemporaryDirectory(dir=lacking[0].folder) as folder:
        file = Path(folder) / "image.tar"
        # Compression would cost more time than it saves on one machine.
        push = ["push", "--quiet", "--disable-compression", image, f"oci-archive:{file}:{image}"]
        _buildah(*push)
        for files in lacking:
            run(ctr(files, "images", "import", str(file)))


def _id_of(image: str) -> str:
    """The digest of an image's configuration, which buildah and the kubelet both know it by."""
    try:
        found = json.loads(_buildah("images", "--json", "--no-trunc", image))
    except CommandFailed as error:
        raise ClusterError(f"buildah has no image {image}: {error.output.strip()}") from error
    return f"sha256:{found[0]['id'].removeprefix('sha256:')}"


def _has(files: NodeFiles, image: str, wanted: str) -> bool:
    """Whether the name stands for that very image. The kubelet's view names each by its id, too."""
    rows = (line.split() for line in run(ctr(files, "images", "list")).splitlines())
    digests = {row[0]: row[2] for row in rows if len(row) > 2}
    return image in digests and digests[image] == digests.get(wanted)


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
