#!/bin/sh
# Does the page answer, and is the network still there that it answers on?
#
# qBittorrent lives in the network of Gluetun's container. When that container starts anew it gets a
# new network, and qBittorrent stays behind in the old one, in which nothing but `lo` is left: the
# engine took the rest away. Only a new start of this container brings it into the new one, so this
# check ends it, and the engine starts it again.
#
# It asks for the interface, not for the Internet: a line that is down is no reason to start anew. And
# it waits a minute, because the engine gives up on a container whose network does not run yet.
set -u

lost=/tmp/homelab-network-lost
now=$(date +%s)

if grep -q '^ *eth' /proc/net/dev; then
    rm -f "$lost"
    exec curl --fail --silent --max-time 8 --output /dev/null http://127.0.0.1:8080/
fi

test -s "$lost" || echo "$now" >"$lost"
since=$(cat "$lost")
echo "the network that this container shares is gone since $((now - since)) s"
if test $((now - since)) -ge 60; then
    rm -f "$lost"
    kill -s TERM 1
fi
exit 1
