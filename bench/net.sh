#!/usr/bin/env bash
# TCP between two nodes over each kind of network, in one run: iperf3 from vm-001 to vm-002, and ping.
#
# netns and rootless run on a host to throw away (namespaces of mounts, network and processes), so
# that the machine's own network never sees them; that takes root.
#
#   rate     what the receiver got in SECONDS, one stream
#   resent   TCP segments that the sender sent again
#   rtt      mean of 20 pings on an idle network
#
# Usage: bench/net.sh [SECONDS]    XCBUILD=path of the program; NETS='user netns rootless'
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-5}
program=$(realpath "${XCBUILD:-target/release/xcbuild}")
cluster=bench-net
export XCLUSTER_OVLPATH=$PWD/bench/ovl${XCLUSTER_OVLPATH:+:$XCLUSTER_OVLPATH}
overlays=(network-topology iptools iperf)
shape=(--nvm=2 --nrouters=0 --ntesters=0)

if [ -z "${BENCH_HOST:-}" ]; then
    if [ "$(id -u)" != 0 ] || [ ! -w /dev/net/tun ]; then
        echo 'SKIPPED: netns and rootless take root and /dev/net/tun'
        exit 0
    fi
    # The host to throw away leads nowhere: what comes from archives is fetched before.
    "$program" --quiet up --net=user --cluster "$cluster" "${shape[@]}" "${overlays[@]}" >/dev/null
    "$program" --quiet stop --cluster "$cluster"
    export BENCH_HOST=throwaway
    exec unshare --mount --net --pid --fork --kill-child --mount-proc "$0" "$@"
fi
mount -t tmpfs tmpfs /run
mkdir /run/netns
ip link set lo up
export XCBUILD_RUN=/run/bench
"$program" --quiet nsadd 1

# measure NET MTU [OPTION]: a cluster, a row
measure() {
    local net=$1 mtu=$2
    local start=("$program" --quiet start "--net=$net" "--mtu=$mtu" --cluster "$cluster" "${shape[@]}" "${@:3}")
    [ "$net" != netns ] || start=("$program" nsenter 1 "${start[@]}")
    "${start[@]}" >/dev/null 2>&1
    rsh() { "$program" rsh --cluster "$cluster" "$@"; }
    rsh 2 iperf3 -s -D
    local rtt
    rtt=$(rsh 1 ping -q -c 20 -i 0.2 192.168.1.2 | sed -n 's|.* = [0-9.]*/\([0-9.]*\)/.*|\1|p')
    rsh 1 iperf3 -c 192.168.1.2 -t "$seconds" -f m >/tmp/bench-net.$$
    awk -v net="$net" -v mtu="$mtu" -v options="${*:3}" -v rtt="$rtt" '
        / sender/ { for (i = 1; i < NF; i++) if ($i ~ /bits/) resent = $(i + 1) }
        / receiver/ { for (i = 2; i < NF; i++) if ($i ~ /bits/) rate = $(i - 1) }
        END { printf "%-10s %6d %-12s %10.0f %8d %8.2f\n", net, mtu, options, rate, resent, rtt }' \
        /tmp/bench-net.$$
    rm -f /tmp/bench-net.$$
    "$program" --quiet stop --cluster "$cluster"
}

printf '%-10s %6s %-12s %10s %8s %8s\n' net mtu options 'Mbit/s' resent 'rtt ms'
for net in ${NETS:-user netns rootless}; do
    measure "$net" 1500
    measure "$net" 9000
done
[[ " ${NETS:-netns} " != *" netns "* ]] || measure netns 1500 --queues=2
