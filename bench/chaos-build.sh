#!/usr/bin/env bash
# Kills builders at random points, and looks whether the store ever gives a wrong or half result.
#
#   bench/chaos-build.sh [KILLS [BUILDERS]]      XCBUILD=path of the program   SEED=for a rerun
#
# Each round changes all overlays, starts BUILDERS (default 8) at once on one store, and kills each of
# them, with all its children (SIGKILL to its session), at a random point of a build's time. Then the
# store is verified, and each set of overlays is built and its ISO compared, byte by byte, with one of
# an empty store. A builder that was quicker than its kill must have made that ISO, too. Rounds go on
# until KILLS (default 200) builders were killed while they ran. Everything is below one directory of
# its own; ends with 1 if anything was wrong.
set -uo pipefail

kills=${1:-200}
builders=${2:-8}
xcbuild=${XCBUILD:-xcbuild}
RANDOM=${SEED:=$$}
work=$(mktemp -d "${TMPDIR:-/tmp}/xc-chaos-build-XXXXXX")
export HOME=$work/home XCBUILD_STORE=$work/store XCLUSTER_OVLPATH=$work/ovl
unset XCLUSTER_WORKSPACE XCLUSTER_HOME XCLUSTER_TMP XOVLS SETUP ARCHIVE
mkdir -p "$HOME" "$work/ovl"
end() { chmod -R u+w "$work"; rm -rf "$work"; }
trap end EXIT

# Overlays of every kind, whose content is the number of the round.
overlays() { # round
    local n
    for n in 1 2 3; do
        mkdir -p "$work/ovl/tree$n/default/etc/tree$n"
        echo "description = 'files'" >"$work/ovl/tree$n/ovl.toml"
        seq "$1" $((40000 * n)) >"$work/ovl/tree$n/default/etc/tree$n/numbers"
    done
    mkdir -p "$work/ovl/script" "$work/ovl/tar" "$work/tree/opt"
    printf "description = 'script'\n[script]\nrun = 'build'\ninputs = ['round']\n" >"$work/ovl/script/ovl.toml"
    printf '#! /bin/sh\nmkdir $1/etc; seq $(cat ${0%%/*}/round) 60000 >$1/etc/made\n' >"$work/ovl/script/build"
    printf '#! /bin/sh\ncd $TMPDIR; mkdir etc; seq $(cat ${0%%/*}/round) 50000 >etc/tarred; tar cf $1 etc\n' \
        >"$work/ovl/tar/tar"
    chmod +x "$work/ovl/script/build" "$work/ovl/tar/tar"
    echo "$1" | tee "$work/ovl/script/round" "$work/ovl/tar/round" >"$work/tree/opt/round"
    tar -C "$work/tree" --mtime=@1 -czf "$work/file.tar.gz" opt
}
sets=("tree1 script tar $work/file.tar.gz" "tree3 tar tree2" "script tree1 tree2 tree3" "tar")
build() { # store, iso, set
    # shellcheck disable=SC2086
    XCBUILD_STORE=$1 "$xcbuild" -q mkcdrom --cdrom="$2" $3 >/dev/null
}
now() { date +%s%N; }

overlays 0
began=$(now)
build "$work/first" "$work/first.iso" "${sets[0]}" || exit 1
span=$((($(now) - began) / 1000000 * 3 / 2))
killed=0 finished=0 verified=0 bad=0 round=0 damaged=0
while [ "$killed" -lt "$kills" ]; do
    round=$((round + 1))
    overlays "$round"
    pids=()
    for ((b = 0; b < builders; b++)); do
        # shellcheck disable=SC2086
        setsid "$xcbuild" -q mkcdrom --cdrom="$work/$b.iso" ${sets[b % 4]} >/dev/null 2>"$work/$b.log" &
        pids+=($!)
    done
    killers=()
    for pid in "${pids[@]}"; do
        ms=$(((RANDOM * 32768 + RANDOM) % span))
        (sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))"; pkill -KILL -s "$pid") &
        killers+=($!)
    done
    ended=()
    for pid in "${pids[@]}"; do
        wait "$pid"
        ended+=($?)
    done
    wait "${killers[@]}"
    if ! "$xcbuild" -q cache verify 2>"$work/verify.log"; then
        damaged=$((damaged + 1)) bad=$((bad + 1))
        cat "$work/verify.log"
    fi
    rm -rf "$work/clean"
    for s in 0 1 2 3; do
        build "$work/clean" "$work/right$s.iso" "${sets[s]}" || exit 1
    done
    for ((b = 0; b < builders; b++)); do
        case ${ended[b]} in
            137)
                killed=$((killed + 1))
                build "$XCBUILD_STORE" "$work/$b.iso" "${sets[b % 4]}" || { echo "round $round: builder $b: not built"; bad=$((bad + 1)); continue; }
                verified=$((verified + 1))
                ;;
            0) finished=$((finished + 1)) ;;
            *)
                echo "round $round: builder $b ended with ${ended[b]}: $(cat "$work/$b.log")"
                bad=$((bad + 1))
                continue
                ;;
        esac
        cmp "$work/$b.iso" "$work/right$((b % 4)).iso" || { echo "round $round: builder $b: wrong ISO"; bad=$((bad + 1)); }
    done
done 2>"$work/shell.log" # the shell's own words on killed jobs
left=$(find "$work/store/tmp" -mindepth 1 -maxdepth 1 | wc -l)
"$xcbuild" -q cache gc --max-size=10G || bad=$((bad + 1))
kept=$(find "$work/store/tmp" -mindepth 1 | wc -l)
echo "$killed killed and $finished finished builders in $round rounds of $builders; $verified builds after a kill right"
echo "$damaged damaged blobs; $left half-made things were left, $kept after gc; $bad wrong (SEED=$SEED)"
[ "$bad" = 0 ] && [ "$kept" = 0 ]
