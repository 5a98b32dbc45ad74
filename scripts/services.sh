#!/usr/bin/env bash
# Installs the servers that the tests start for themselves, where they are missing. On Debian and Ubuntu, as root, it
# does that by itself; otherwise it says what to install. The tests need no server that runs already.
set -euo pipefail

# What must be there, and the package that brings it.
declare -A packages=(
    [/usr/lib/rabbitmq/bin/rabbitmq-server]=rabbitmq-server
    [/usr/bin/epmd]=erlang-base
    [/usr/bin/javac]=default-jdk-headless
    [/usr/bin/mvn]=maven
    [/usr/sbin/dockerd]=docker.io
    [/usr/bin/docker-compose]=docker-compose
    [/bin/busybox]=busybox-static
    [/usr/sbin/iptables]=iptables
    [/sbin/ip]=iproute2
    [/usr/bin/unshare]=util-linux
    [/var/lib/dpkg/info/ruby-bunny.list]=ruby-bunny
)

install_missing() {
    local program missing=()
    for program in "${!packages[@]}"; do
        [[ -e $program ]] || missing+=("${packages[$program]}")
    done
    [[ ${#missing[@]} == 0 ]] && return

    if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
        echo "services: installing ${missing[*]}"
        apt-get update -qq
        # Without a runlevel Debian's packages do not start the server that they bring.
        RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" \
            >/dev/null
    else
        echo "services: the tests need ${missing[*]}; on Debian and Ubuntu run: sudo apt-get install ${missing[*]}" >&2
        exit 1
    fi
}

# The stand-in for MongoDB, 6 MB: no real server is in Debian.
build_mongodb() {
    local source=tests/servers/java target=build/mongodb
    [[ $target/MongoStandIn.class -nt $source/MongoStandIn.java && $target/MongoStandIn.class -nt $source/pom.xml ]] &&
        return
    echo "services: fetching the stand-in for MongoDB"
    rm -rf "$target"
    mvn --quiet --batch-mode --file "$source/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
        -DoutputDirectory="$PWD/$target" </dev/null
    javac -cp "$target/*" -d "$target" "$source/MongoStandIn.java"
}

# Docker Compose 2, beside the 1.29 that Debian 12 has: the program of the next Debian, which runs on this one too.
fetch_compose() {
    local folder=build/compose plugins=(/usr/{local/,}lib{exec,}/docker/cli-plugins/docker-compose)
    [[ -x $folder/docker-compose ]] && return
    rm -rf "$folder"
    mkdir -p "$folder"/apt/{lists,cache/archives}/partial
    for plugin in "${plugins[@]}"; do
        [[ -x $plugin ]] && ln -s "$plugin" "$folder/docker-compose" && return
    done
    if [[ ! -e /etc/debian_version ]]; then
        echo "services: the tests need Docker Compose 2 as a plug-in of Docker" >&2
        exit 1
    fi
    echo "services: fetching Docker Compose 2"
    cat >"$folder/apt/conf" <<EOF
Dir::Etc::sourcelist "$PWD/$folder/apt/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "$PWD/$folder/apt/lists";
Dir::Cache "$PWD/$folder/apt/cache";
Acquire::Languages "none";
APT::Sandbox::User "";
EOF
    echo 'deb http://deb.debian.org/debian trixie main' >"$folder/apt/sources.list"
    APT_CONFIG=$folder/apt/conf apt-get update -qq
    (cd "$folder/apt" && APT_CONFIG=conf apt-get download -qq docker-compose)
    dpkg-deb --fsys-tarfile "$folder"/apt/docker-compose_*.deb |
        tar --extract --directory "$folder" --strip-components 5 ./usr/libexec/docker/cli-plugins/docker-compose
    rm -rf "$folder/apt"
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
install_missing
build_mongodb
fetch_compose
