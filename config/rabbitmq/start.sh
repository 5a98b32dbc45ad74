#!/bin/sh
# Puts the passwords of the environment into the definitions, and starts the broker. They are letters, digits, - and _.
set -eu
sed -e "s/@BEAGLE_BROKER_PASSWORD@/$BEAGLE_BROKER_PASSWORD/" -e "s/@BEAGLE_KEEPER_PASSWORD@/$BEAGLE_KEEPER_PASSWORD/" \
    -e "s/@BEAGLE_FRONT_PASSWORD@/$BEAGLE_FRONT_PASSWORD/" "$(dirname "$0")/definitions.json" \
    >"${DEFINITIONS:-/tmp/definitions.json}"
exec docker-entrypoint.sh rabbitmq-server
