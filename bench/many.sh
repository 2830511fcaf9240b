#!/bin/bash
# Starting many: 20 nodes in one cluster, then 21 in three clusters that are started at the same moment.
#
# Each is done with the host's boot slots (the default) and with all nodes let loose at once
# (--parallel=240), which is what a script does that starts them in a loop. Given are the seconds until
# the first and the last node is ready, and the memory that the host has less while they run. All is
# stopped at the end, and nothing may have failed.
#
# Usage: bench/many.sh [RUNS]    XCBUILD=path of the program
set -euo pipefail

runs=${1:-3}
failed=0
xcbuild=$(realpath "${XCBUILD:-$(dirname "$0")/../target/release/xcbuild}")
XCBUILD_RUN=$(mktemp -d /tmp/xc-many-XXXXXX)
export XCBUILD_RUN __cdrom=$XCBUILD_RUN/cdrom.iso
end() { "$xcbuild" -q stop --all; rm -rf "$XCBUILD_RUN"; }
trap end EXIT

available() { awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo; }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
now() { date +%s.%N; }
since() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.1f\n", b - a }'; }

# start NAME CLUSTERS VMS ROUTERS TESTERS [OPTION…]
start() {
    local name=$1 clusters=$2 vms=$3 routers=$4 testers=$5
    shift 5
    local nodes=$((clusters * (vms + routers + testers))) firsts= lasts= mems=
    for _ in $(seq "$runs"); do
        local before begin first='' ready=0 pids=()
        before=$(available)
        begin=$(now)
        while read -r line; do
            case $line in
            *Ready*)
                ready=$((ready + 1))
                [ -n "$first" ] || first=$(since "$begin")
                [ "$ready" != "$nodes" ] || break
                ;;
            ERROR*) printf '%-44s failed: %s\n' "$name" "${line#ERROR: }"; failed=1; "$xcbuild" -q stop --all; return ;;
            esac
        done < <(for c in $(seq "$clusters"); do
            "$xcbuild" start "--cluster=many-$c" "--nvm=$vms" "--nrouters=$routers" "--ntesters=$testers" "$@" 2>&1 &
        done; wait)
        [ "$ready" = "$nodes" ] || { echo "$name: only $ready of $nodes nodes were ready"; failed=1; "$xcbuild" -q stop --all; return; }
        lasts+=$(since "$begin")$'\n'
        firsts+=$first$'\n'
        mems+=$((before - $(available)))$'\n'
        # The last status is written a moment after the last node is ready.
        for _ in $(seq 100); do
            [ "$("$xcbuild" ps | grep -c "$((vms + routers + testers)) of")" != "$clusters" ] || break
            sleep 0.1
        done
        "$xcbuild" -q stop --all
    done
    printf '%-44s first ready %5s s, all %d ready %6s s, %5s MiB\n' "$name" \
        "$(printf %s "$firsts" | median)" "$nodes" "$(printf %s "$lasts" | median)" "$(printf %s "$mems" | median)"
}

"$xcbuild" -q mkimage >/dev/null
"$xcbuild" -q mkcdrom network-topology iptools >/dev/null
echo "medians of $runs runs, $(nproc) cores"
start '20 nodes, boot slots' 1 16 2 2
start '20 nodes, all at once' 1 16 2 2 --parallel=240 --timeout=600
start '3 clusters of 7 at once, boot slots' 3 4 2 1
start '3 clusters of 7 at once, all at once' 3 4 2 1 --parallel=240 --timeout=600
exit "$failed"
