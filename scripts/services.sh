#!/usr/bin/env bash
# Installs the servers that the tests start for themselves, where they are missing. On Debian and Ubuntu, as root, it
# does that by itself; otherwise it says what to install. The tests need no server that runs already.
set -euo pipefail

# What must be there, and the package that brings it.
declare -A packages=(
    [/usr/lib/rabbitmq/bin/rabbitmq-server]=rabbitmq-server
    [/usr/bin/epmd]=erlang-base
)

missing=()
for program in "${!packages[@]}"; do
    [[ -e $program ]] || missing+=("${packages[$program]}")
done
[[ ${#missing[@]} == 0 ]] && exit 0

if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
    echo "services: installing ${missing[*]}"
    apt-get update -qq
    # Without a runlevel Debian's packages do not start the server that they bring.
    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
else
    echo "services: the tests need ${missing[*]}; on Debian and Ubuntu run: sudo apt-get install ${missing[*]}" >&2
    exit 1
fi
