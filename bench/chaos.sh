#!/bin/bash
# Kills random parts of clusters at random moments, and looks whether `stop` leaves nothing.
#
# Each round starts a cluster of three nodes in the background, waits a random time (up to LIMIT
# tenths of a second), then kills (SIGKILL) one of: xcbuild itself, one qemu, all qemus, the DNS
# proxy, or all at once. Then it asks `status`, runs `stop` and counts what is left: processes that
# name the run directory, files in it, ports that are still bound. The images must have been built
# (`xcbuild up` once); the cluster's name and run directory are its own.
#
# Usage: bench/chaos.sh [ROUNDS [LIMIT]]    XCBUILD=path of the program    SEED=for a rerun
set -uo pipefail

rounds=${1:-50}
limit=${2:-80}
xcbuild=${XCBUILD:-xcbuild}
RANDOM=${SEED:=$$}
XCBUILD_RUN=$(mktemp -d /tmp/xc-chaos-XXXXXX)
export XCBUILD_RUN __cluster=chaos

# Processes of the cluster: they name a file of the run directory.
processes() { pgrep -f -- "$XCBUILD_RUN/chaos/" || true; }
pick() { shuf -n1 --random-source=<(yes $RANDOM); }
end() { "$xcbuild" -q stop; rm -rf "$XCBUILD_RUN"; }
trap end EXIT

bad=0
for round in $(seq "$rounds"); do
    "$xcbuild" start --nvm=2 --nrouters=1 --ntesters=0 >"$XCBUILD_RUN/log" 2>&1 &
    start=$!
    tenths=$((RANDOM % limit))
    sleep "$((tenths / 10)).$((tenths % 10))"
    case $((RANDOM % 5)) in
    0) what=xcbuild; victims=$start ;;
    1) what='one qemu'; victims=$(processes | while read -r p; do grep -qs guest= "/proc/$p/cmdline" && echo "$p"; done | pick) ;;
    2) what='all qemus'; victims=$(processes | while read -r p; do grep -qs guest= "/proc/$p/cmdline" && echo "$p"; done) ;;
    3) what='DNS proxy'; victims=$(pgrep -f -- "--pid-file=$XCBUILD_RUN/chaos/dns.pid" || true) ;;
    4) what=everything; victims="$start $(processes)" ;;
    esac
    # shellcheck disable=SC2086
    [ -z "$victims" ] || kill -KILL $victims
    "$xcbuild" -q status >"$XCBUILD_RUN/status" 2>&1
    alive=$?
    "$xcbuild" -q stop 2>&1
    stopped=$?
    wait "$start"
    started=$?
    left=$(processes | wc -l)
    files=$(find "$XCBUILD_RUN" -mindepth 1 ! -name '*.lock' ! -name log ! -name status | wc -l)
    verdict=ok
    if [ "$stopped" != 0 ] || [ "$left" != 0 ] || [ "$files" != 0 ]; then
        verdict="BAD: stop ended with $stopped, $left processes and $files files are left"
        bad=$((bad + 1))
    fi
    printf 'round %2d: %-9s killed after %d.%d s, start ended with %3d, %d alive: %s\n' \
        "$round" "$what" $((tenths / 10)) $((tenths % 10)) "$started" "$alive" "$verdict"
done 2>/dev/null # the shell's own words on killed jobs
echo "$((rounds - bad)) passed, $bad failed (SEED=$SEED)"
[ "$bad" = 0 ]
