#!/usr/bin/env bash
# What tracing a script costs, and what it saves.
#
#   bench/trace.sh [RUNS]      XCBUILD=path of the program (default: the release build)
#
# Two scripts: `copies` copies a directory of 2,000 files, as the contract's scripts do (cp -R, then
# tar); `small` is an ordinary one, with helpers. Each is built with tracing off and on, in turn, in a
# store that is empty for each run; then with nothing changed, where all of its record is compared
# with the machine. Given are medians of RUNS runs (default 10) in milliseconds of the whole command,
# `mkcdrom` with the ISO; `the script alone` runs the same script by hand. Beside it: strace, where it
# is installed.
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${1:-10}
xcbuild=${XCBUILD:-$PWD/target/release/xcbuild}
[ -x "$xcbuild" ] || cargo build --release --quiet
# In memory: ext4 takes 0.1 to 0.7 s for the 2,000 files of a copy, by how many were removed just before.
dir=$(mktemp -d "${TMPDIR:-/dev/shm}/xc-bench-trace-XXXXXX")
trap 'rm -rf "$dir"' EXIT
export HOME=$dir/home XCBUILD_STORE=$dir/store XCLUSTER_OVLPATH=$dir/ovl USER=bench
mkdir -p "$HOME" "$dir/ovl/copies" "$dir/ovl/small/default/etc"

for n in $(seq 0 39); do
    mkdir -p "$dir/ovl/copies/default/usr/share/copies/$n"
    for m in $(seq 0 49); do
        head -c 2000 /dev/urandom >"$dir/ovl/copies/default/usr/share/copies/$n/$m"
    done
done
cat >"$dir/ovl/copies/tar" <<'END'
#! /bin/sh
dir=$(dirname $0); dir=$(readlink -f $dir)
tmp=@TMP@/$USER/xcluster_$$
mkdir -p $tmp
cp -R $dir/default/* $tmp
cd $tmp
if test "$1" = "-"; then tar -c *; else tar -cf "$1" *; fi
rm -rf $tmp
END
cat >"$dir/ovl/small/tar" <<'END'
#! /bin/sh
dir=$(dirname $0); dir=$(readlink -f $dir)
tmp=@TMP@/$USER/xcluster_$$
mkdir -p $tmp
cp -R $dir/default/* $tmp
which nmap > /dev/null && $XCLUSTER install_prog --dest=$tmp nmap
$XCLUSTER install_prog --dest=$tmp ls
cd $tmp
if test "$1" = "-"; then tar -c *; else tar -cf "$1" *; fi
rm -rf $tmp
END
echo small >"$dir/ovl/small/default/etc/small"
sed -i "s,@TMP@,$dir," "$dir"/ovl/*/tar
chmod +x "$dir"/ovl/*/tar

# The milliseconds that a command takes.
took() {
    local from to
    from=$(date +%s%N)
    "$@" >/dev/null 2>&1
    to=$(date +%s%N)
    echo "$(((to - from) / 1000))"
}
median() { sort -n | awk '{ v[NR] = $1 } END { m = (NR % 2) ? v[(NR+1)/2] : (v[NR/2] + v[NR/2+1]) / 2; printf "%.1f\n", m / 1000 }'; }
fresh() { rm -rf "$XCBUILD_STORE"; }
alone() { env -i PATH="$PATH" XCLUSTER="$xcbuild" HOME="$HOME" USER=$USER XCBUILD_STORE="$XCBUILD_STORE" XCLUSTER_OVLPATH="$XCLUSTER_OVLPATH" "$@"; }

printf '%-10s %14s %14s %14s %14s %14s\n' script 'alone' 'strace' 'tracing off' 'tracing on' 'unchanged'
for script in copies small; do
    rm -f "$dir"/times-*
    for _ in $(seq "$runs"); do
        took alone "$dir/ovl/$script/tar" "$dir/out.tar" >>"$dir/times-alone"
        fresh
        XCBUILD_TRACE=off took "$xcbuild" mkcdrom "$script" >>"$dir/times-off"
        fresh
        took "$xcbuild" mkcdrom "$script" >>"$dir/times-on"
        took "$xcbuild" mkcdrom "$script" >>"$dir/times-unchanged"
        if command -v strace >/dev/null; then
            took alone strace -f --seccomp-bpf -e trace=file -o /dev/null "$dir/ovl/$script/tar" "$dir/out.tar" >>"$dir/times-strace"
        fi
    done
    [ -e "$dir/times-strace" ] || echo 0 >"$dir/times-strace"
    printf '%-10s' "$script"
    for what in alone strace off on unchanged; do
        printf ' %11s ms' "$(median <"$dir/times-$what")"
    done
    echo
done
