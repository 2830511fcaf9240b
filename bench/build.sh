#!/usr/bin/env bash
# How fast overlays are built, and how fast it is seen that nothing has to be.
#
#   bench/build.sh [RUNS]      needs: cargo, genisoimage; Debian's packages once, for iptools
#
#   a  nothing changed, `mkcdrom network-topology iptools`; beside it the shell way on the same trees:
#      each overlay's script copies its files to a temporary directory and tars it, then genisoimage
#   b  one small file of one overlay changed, the same two overlays; beside it the shell way, which
#      does the same work whatever changed
#   c  a cold build of eight overlays of 2,000 files and 20 MB each, -j1 beside -j2, an empty store each
#   d  an overlay of 50,000 files in 500 directories, nothing changed
#
# Inputs are made once in $BENCH_DIR (default /tmp/xcbuild-bench-build), with a home and a store of
# their own. The peers take turns, so that each meets the same noise. Given are medians of RUNS runs
# (default 11): the time that passed, the CPU time of the program and its children, and the ratio of
# the passed times to ours. Page cache is warm. Files are older than the 3 s within which they are read
# whatever stat says.
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${1:-11}
dir=${BENCH_DIR:-/tmp/xcbuild-bench-build}
[ -n "${XCBUILD:-}" ] || cargo build --release --quiet --locked
xcbuild=${XCBUILD:-$PWD/target/release/xcbuild}
mkdir -p "$dir/home" "$dir/ovl"
export HOME=$dir/home XCLUSTER_OVLPATH=$dir/ovl __cdrom=$dir/cdrom.iso
unset XCBUILD_STORE XCLUSTER_WORKSPACE XCLUSTER_HOME XCLUSTER_TMP XOVLS SETUP TOPOLOGY XDG_CACHE_HOME

overlay() { # name, directories, files in each, bytes of a file
    [ ! -d "$dir/ovl/$1" ] || return 0
    local d
    mkdir -p "$dir/half"
    echo "description = \"for a benchmark\"" >"$dir/half/ovl.toml"
    for ((d = 0; d < $2; d++)); do
        mkdir -p "$dir/half/default/srv/$1/$d"
        head -c "$(($3 * $4))" /dev/urandom | split -a 4 -b "$4" - "$dir/half/default/srv/$1/$d/file-"
    done
    mv "$dir/half" "$dir/ovl/$1"
}

# The shell way: scripts that make a tree and tar it, then genisoimage.
shell_way() {
    local n=0 name tmp
    rm -rf "$dir/iso" && mkdir "$dir/iso"
    for name in network-topology iptools; do
        tmp=$(mktemp -d)
        cp -a "$dir/trees/$name/." "$tmp"
        tar -C "$tmp" -cf "$dir/iso/0$n$name.tar" .
        rm -rf "$tmp"
        n=$((n + 1))
    done
    genisoimage -quiet -R -J -V xcluster -o "$dir/shell.iso" "$dir/iso"
}

run() { # what
    case $1 in
    'a ours') "$xcbuild" -q mkcdrom network-topology iptools ;;
    'b ours') "$xcbuild" -q mkcdrom changing iptools ;;
    'a shell' | 'b shell') shell_way ;;
    'c -j1') cold -j1 ;;
    'c -j2') cold -j2 ;;
    'd ours') "$xcbuild" -q mkcdrom --cdrom="$dir/many.iso" many ;;
    esac >/dev/null
}
cold() {
    XCBUILD_STORE=$dir/cold "$xcbuild" -q mkcdrom "$1" --cdrom="$dir/cold.iso" cold1 cold2 cold3 cold4 cold5 cold6 cold7 cold8
}
before() { # what is made ready and not measured
    case $1 in
    b*) date +%N >"$dir/ovl/changing/default/etc/changing" ;;
    c*) rm -rf "$dir/cold" "$dir/cold.iso" ;;
    esac
}

median() { sort -n | awk '{v[NR] = $1} END {print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'; }

measure() { # name, times, what…
    local name=$1 times=$2 n what base= wall
    shift 2
    for what; do : >"$dir/times-$what"; done
    for ((n = 0; n < times; n++)); do
        for what; do
            before "$name"
            TIMEFORMAT='%R %U %S'
            { time run "$what" 2>>"$dir/log" 2>&3; } 2>>"$dir/times-$what" 3>>"$dir/log"
        done
    done
    for what; do
        wall=$(awk '{print $1 * 1000}' "$dir/times-$what" | median)
        base=${base:-$wall}
        awk -v w="$what" -v t="$wall" -v b="$base" \
            -v c="$(awk '{print ($2 + $3) * 1000}' "$dir/times-$what" | median)" \
            'BEGIN {printf "| %s | %.0f ms | %.0f ms | %.2f |\n", w, t, c, t / b}'
    done
}

mkdir -p "$dir/ovl/changing/default/etc"
echo 'description = "one file that changes"' >"$dir/ovl/changing/ovl.toml"
for n in 1 2 3 4 5 6 7 8; do overlay "cold$n" 20 100 10240; done
overlay many 500 100 64
"$xcbuild" -q mkcdrom network-topology iptools >/dev/null
for name in network-topology iptools; do
    rm -rf "$dir/trees/$name" && mkdir -p "$dir/trees/$name"
    "$xcbuild" -q ovl tar "$name" - | tar -C "$dir/trees/$name" -xf -
done
run 'd ours'
sleep 4
run 'd ours'
echo "load before: $(cut -d' ' -f1-3 /proc/loadavg) on $(nproc) cores"
echo "| what | median of $runs | CPU time | × |"
echo "|---|---|---|---|"
measure a "$runs" 'a ours' 'a shell'
measure b "$runs" 'b ours' 'b shell'
measure c "$(((runs + 1) / 2))" 'c -j1' 'c -j2'
measure d "$runs" 'd ours'
echo "load after: $(cut -d' ' -f1-3 /proc/loadavg)"
