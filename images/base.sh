#!/bin/sh
# Make the base image for machines without a registry: Debian with Python 3.11, by debootstrap.
#
#   images/base.sh IMAGE BUILDAH [OPTION...]      for example: images/base.sh localhost/modelfleet/base:dev buildah
#
# Needs root, debootstrap and buildah. Everybody else builds from python:3.11-slim instead.
set -eu
image=$1
shift

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT INT TERM
root=$folder/root

debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$root" >"$folder/log" 2>&1 || {
    tail -n 20 "$folder/log" >&2
    echo "debootstrap failed; above is the end of what it said" >&2
    exit 1
}

# What only an installation needs. Copyright files stay: their licences ask for it.
rm -rf "$root"/var/cache/apt "$root"/var/lib/apt/lists "$root"/var/log
rm -rf "$root"/usr/share/man "$root"/usr/share/locale "$root"/usr/share/info
find "$root"/usr/share/doc -type f ! -name copyright -delete
mkdir -p "$root"/var/cache/apt/archives/partial "$root"/var/lib/apt/lists/partial "$root"/var/log
# debootstrap copies these two from the machine it runs on.
: >"$root"/etc/hostname
: >"$root"/etc/resolv.conf

container=$("$@" from scratch)
"$@" add -q "$container" "$root" / >/dev/null
"$@" config --cmd python3 --label "dev.modelfleet.inputs=$(sha256sum "$0" | cut -d " " -f 1)" --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
"$@" commit -q --rm "$container" "$image" >/dev/null
