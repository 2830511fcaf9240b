#!/usr/bin/env bash
# How fast images are written, beside genisoimage, xorrisofs, and tar or cp as the floor.
#
#   bench/iso.sh [RUNS]      needs: cargo, genisoimage, xorriso
#
# Ours is the crate's example program, which does what `xcbuild iso create -J` does and builds in
# seconds: `ours` writes to a file, `stdout` to a pipe's end.
#
# Four inputs, made once in $BENCH_DIR (default /tmp/xcbuild-bench): (a) copies of what every
# Debian has until there are 45,000 files, (b) four files of 128 MB, (c) a directory of 100,000
# empty files, (d) a sparse file of 5 GiB. The peers take turns, so that each meets the same noise;
# given are the medians of RUNS runs (default 5) and their ratio to ours. Page cache is warm;
# targets are removed between runs; nobody syncs. genisoimage gets -joliet-long and -l, since it
# refuses trees whose names are the same in 64 characters, or in 8 with 3. A writer that needs more
# than LIMIT seconds is ended, and not tried again.
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${1:-5}
limit=${LIMIT:-60}
dir=${BENCH_DIR:-/tmp/xcbuild-bench}
mkdir -p "$dir"
cargo build --release --quiet -p xc-iso --example mkiso
mkiso=$PWD/target/release/examples/mkiso

make_a() {
    local count=0 round=0 source
    local sources="/usr/share/man /usr/share/doc /usr/include /usr/share/perl /usr/lib/python3"
    while [ "$count" -lt 45000 ]; do
        mkdir -p "$dir/a/$round"
        for source in $sources; do
            [ "$count" -ge 45000 ] || [ ! -d "$source" ] || cp -a "$source" "$dir/a/$round/"
            count=$(find "$dir/a" -type f | wc -l)
        done
        round=$((round + 1))
        sources="/usr/include /usr/share/doc /usr/lib/python3"
    done
}
make_b() {
    mkdir "$dir/b"
    local n
    for n in 1 2 3 4; do head -c 128M /dev/urandom >"$dir/b/$n"; done
}
make_c() {
    mkdir "$dir/c"
    (cd "$dir/c" && seq -f 'file-%06g' 100000 | xargs touch)
}
make_d() {
    mkdir "$dir/d"
    truncate -s 5G "$dir/d/sparse"
    printf end | dd of="$dir/d/sparse" bs=1 seek=5368709117 conv=notrunc status=none
}

# The seconds that a command takes.
seconds() {
    local from to
    rm -rf "$dir/out"
    from=$(date +%s%N)
    timeout "$limit" "$@" >/dev/null 2>"$dir/log" || {
        [ $? = 124 ] && return 124
        cat "$dir/log" >&2
        return 1
    }
    to=$(date +%s%N)
    echo "$(((to - from) / 1000000))" | awk '{printf "%.3f\n", $1 / 1000}'
}
median() { sort -n | awk '{v[NR] = $1} END {print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'; }

run() { # input, writer
    case $2 in
    ours) seconds "$mkiso" "$dir/$1" "$dir/out" ;;
    stdout) seconds sh -c '"$1" "$2" - | cat >"$3"' - "$mkiso" "$dir/$1" "$dir/out" ;;
    genisoimage) seconds genisoimage -quiet -R -J -joliet-long -l -o "$dir/out" "$dir/$1" ;;
    xorrisofs) seconds xorrisofs -quiet -R -J -iso-level 3 -o "$dir/out" "$dir/$1" ;;
    tar) seconds tar cf "$dir/out" "$dir/$1" ;;
    cp) seconds cp -r "$dir/$1" "$dir/out" ;;
    esac
}

measure() { # input, writers
    local input=$1 n writer base=
    shift
    [ -d "$dir/$input" ] || "make_$input"
    for writer; do : >"$dir/times-$writer"; done
    for ((n = 0; n < runs; n++)); do
        for writer; do
            grep -qs ended "$dir/times-$writer" && continue
            run "$input" "$writer" >>"$dir/times-$writer" || {
                [ $? = 124 ] || exit 1
                echo ended >>"$dir/times-$writer"
            }
        done
    done
    for writer; do
        local time
        if grep -qs ended "$dir/times-$writer"; then
            echo "| $input | $writer | over $limit s | - |"
            continue
        fi
        time=$(median <"$dir/times-$writer")
        base=${base:-$time}
        awk -v i="$input" -v w="$writer" -v t="$time" -v o="$base" \
            'BEGIN {printf "| %s | %s | %.2f s | %.2f |\n", i, w, t, t / o}'
    done
}

echo "| input | writer | median of $runs | ours × |"
echo "|---|---|---|---|"
measure a ours stdout tar xorrisofs genisoimage
measure b ours stdout cp xorrisofs genisoimage
measure c ours stdout tar xorrisofs genisoimage
measure d ours cp
rm -rf "$dir/out"
