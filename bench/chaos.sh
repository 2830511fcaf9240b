#!/bin/bash
# Kills random parts of clusters at random moments, and looks whether `stop` leaves nothing.
#
# Each round takes a kind of network by turns, and either starts a cluster of three nodes, or changes one
# that runs (scaleout, reset_vm, restart, stop) in the background. After a random time, up to LIMIT tenths
# of a second, it kills (SIGKILL) one of: xcbuild, one qemu, all qemus, the DNS proxy, what holds or
# feeds the namespace of a rootless cluster, everything. Then `status` has to answer, `stop` has to
# succeed, and all has to be as it was before: processes, links (taps, bridges, veths), network
# namespaces, listening sockets, nftables, files of the run directory.
#
# So that nothing else is counted, all runs in namespaces of its own: processes, mounts, network.
#
# Usage: bench/chaos.sh [ROUNDS [LIMIT]]    XCBUILD=path of the program    SEED=for a rerun
#        NETS="user netns rootless"         the kinds of network
set -uo pipefail

rounds=${1:-50}
limit=${2:-80}
xcbuild=$(realpath "${XCBUILD:-$(dirname "$0")/../target/release/xcbuild}")
read -ra nets <<<"${NETS:-user netns rootless}"
if [ -z "${CHAOS_INSIDE:-}" ]; then
    if [ "$(id -u)" != 0 ]; then
        echo 'SKIPPED: namespaces as those of nsadd take root'
        exit 0
    fi
    # Within there is no way to where packages come from.
    export __cdrom=${TMPDIR:-/tmp}/xc-chaos-$$.iso
    "$xcbuild" -q mkimage >/dev/null && "$xcbuild" -q mkcdrom network-topology >/dev/null || exit 2
    exec env CHAOS_INSIDE=1 SEED="${SEED:-$$}" XCBUILD="$xcbuild" unshare --net --mount --pid --fork \
        --kill-child --mount-proc "$0" "$@"
fi
ip link set lo up
mount -t tmpfs none /run
RANDOM=$SEED
XCBUILD_RUN=$(mktemp -d /tmp/xc-chaos-XXXXXX)
export XCBUILD_RUN __cluster=chaos
trap 'rm -rf "$XCBUILD_RUN" "$__cdrom"' EXIT
"$xcbuild" -q nsadd 1 || exit 2
namespace=$(ip netns list | awk '{ print $1; exit }')

# All that a cluster could leave behind.
snapshot() {
    echo "processes:"
    for p in /proc/[0-9]*/comm; do
        read -r name <"$p" && case $name in qemu* | xcbuild* | slirp*) echo "$name" ;; esac
    done 2>/dev/null | sort
    echo "namespaces:"; lsns -n -t net -o NS | sort
    for enter in '' "ip netns exec $namespace"; do
        echo "links and sockets $enter:"
        $enter ip -o link | sed -E 's/ state [A-Z]+//; s/[<,](UP|LOWER_UP|NO-CARRIER)\b//g' | cut -d' ' -f2 | sort
        $enter ss -Hltun | awk '{ print $1, $5 }' | sort
        $enter nft list tables | sort
        $enter grep -oF "$XCBUILD_RUN" /proc/net/unix
    done
    echo "files:"; find "$XCBUILD_RUN" -mindepth 1 ! -name ports.lock ! -name '.boot-*.lock' ! -name 'log-*' | sort
}
# The cluster's processes: they name a file of the run directory.
processes() { pgrep -f -- "$XCBUILD_RUN/chaos/" || true; }
qemus() { processes | while read -r p; do grep -qs guest= "/proc/$p/cmdline" && echo "$p"; done; }
pick() { local all=("$@"); [ $# = 0 ] || echo "${all[RANDOM % $#]}"; }
beside() { pgrep -f -- "$XCBUILD_RUN/chaos/namespace|--api-socket=$XCBUILD_RUN" || true; }

snapshot >"$XCBUILD_RUN/log-before"
bad=0
for round in $(seq "$rounds"); do
    net=${nets[round % ${#nets[@]}]}
    enter=()
    [ "$net" != netns ] || enter=(ip netns exec "$namespace")
    start=("${enter[@]}" "$xcbuild" start --nvm=2 --nrouters=1 --ntesters=0 "--net=$net")
    act=start
    if [ $((RANDOM % 3)) = 0 ]; then
        "${start[@]}" >"$XCBUILD_RUN/log-start" 2>&1 || { cat "$XCBUILD_RUN/log-start"; exit 1; }
        act=$(pick 'scaleout 3' 'reset_vm 1' 'restart 1 201' stop)
        # shellcheck disable=SC2086
        start=("${enter[@]}" "$xcbuild" $act)
    fi
    "${start[@]}" >"$XCBUILD_RUN/log-act" 2>&1 &
    actor=$!
    tenths=$((RANDOM % limit))
    sleep "$((tenths / 10)).$((tenths % 10))"
    case $((RANDOM % 6)) in
    0) what=xcbuild; victims=$actor ;;
    1) what='one qemu'; mapfile -t q < <(qemus); victims=$(pick "${q[@]}") ;;
    2) what='all qemus'; victims=$(qemus) ;;
    3) what='DNS proxy'; victims=$(pgrep -f -- "--pid-file=$XCBUILD_RUN/chaos/dns.pid") ;;
    4) what='all but qemus'; victims="$actor $(beside) $(pgrep -f -- "--pid-file=$XCBUILD_RUN/chaos/dns.pid")" ;;
    5) what=everything; victims="$actor $(processes)" ;;
    esac
    # shellcheck disable=SC2086
    [ -z "$victims" ] || kill -KILL $victims
    timeout 60 "${enter[@]}" "$xcbuild" -q status --json >"$XCBUILD_RUN/log-status" 2>"$XCBUILD_RUN/log-error"
    told=$?
    alive=$(grep -c '"pid": [0-9]' "$XCBUILD_RUN/log-status")
    timeout 90 "${enter[@]}" "$xcbuild" -q stop >"$XCBUILD_RUN/log-stop" 2>&1
    stopped=$?
    wait "$actor"
    ended=$?
    snapshot >"$XCBUILD_RUN/log-after"
    verdict=ok
    if [ "$stopped$told" != 00 ] || ! left=$(diff "$XCBUILD_RUN/log-before" "$XCBUILD_RUN/log-after"); then
        verdict="BAD: status ended with $told: $(cat "$XCBUILD_RUN/log-error"), stop with $stopped: $(cat "$XCBUILD_RUN/log-stop"), left: $left"
        bad=$((bad + 1))
        cp "$XCBUILD_RUN/log-before" "/tmp/chaos-before"; cp "$XCBUILD_RUN/log-after" /tmp/chaos-after
    fi
    printf 'round %2d: %-8s %-13s %-13s killed after %d.%d s, ended with %3d, %d alive: %s\n' \
        "$round" "$net" "$act" "$what" $((tenths / 10)) $((tenths % 10)) "$ended" "$alive" "$verdict"
done 2>/dev/null # the shell's own words on killed jobs
"$xcbuild" -q nsdel 1 || bad=$((bad + 1))
echo "$((rounds - bad)) passed, $bad failed (SEED=$SEED)"
[ "$bad" = 0 ]
